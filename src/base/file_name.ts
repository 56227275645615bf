import { createHash } from 'node:crypto';

/** Bytes of a name that file systems take (NAME_MAX of Linux). */
const MOST_BYTES = 255;

/** Characters of the digest that stands for what was cut off. */
const DIGEST = 8;

/**
 * A file name of at most 255 bytes: `stem` and `ending` as they are, or a stem that is too long cut at a character, with
 * a digest of the whole, so that names that were different stay so.
 */
export function fileName(stem: string, ending: string): string {
  const room = MOST_BYTES - Buffer.byteLength(ending);
  if (Buffer.byteLength(stem) <= room) return stem + ending;
  const digest = `~${createHash('sha256').update(stem).digest('hex').slice(0, DIGEST)}`;
  let cut = '';
  let bytes = digest.length;
  for (const character of stem) {
    bytes += Buffer.byteLength(character);
    if (bytes > room) break;
    cut += character;
  }
  return cut + digest + ending;
}
