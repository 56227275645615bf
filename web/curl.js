import { addressOf, hasKey, typeOf } from './service.js';

/** One word of a POSIX shell. */
const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/**
 * The command that asks the same and gets the same answer. A key is left to the environment: commands end up in
 * histories and on screens.
 */
export function curlOf({ blob, name, sample }, query) {
  const curl = hasKey() ? 'curl -sS -H "X-API-Key: $YOLOX_API_KEY"' : 'curl -sS';
  const lines = [
    `${curl} -H ${quote(`Content-Type: ${typeOf(blob)}`)} \\`,
    `  --data-binary ${sample ? '@-' : quote(`@${name}`)} \\`,
    `  ${quote(`${addressOf('predict')}?${query}`)}`,
  ];
  if (sample) lines.unshift(`${curl} ${quote(addressOf('test_data'))} |`);
  return lines.join('\n');
}
