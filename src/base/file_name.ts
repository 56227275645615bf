import { createHash } from 'node:crypto';

/** Longest file name in bytes (NAME_MAX of Linux). */
const MOST_BYTES = 255;

/** Characters of the digest that replaces what was cut off. */
const DIGEST = 8;

/**
 * A file name of at most 255 bytes: `stem` and `ending`, where a stem that is too long is cut between characters and
 * gets a digest of the whole, so that different names stay different.
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
