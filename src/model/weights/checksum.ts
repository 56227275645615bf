import { createHash } from 'node:crypto';

/** Key of the metadata that holds the checksum. */
export const CHECKSUM_KEY = 'content_sha256';

export interface HashedTensor {
  dtype: string;
  shape: readonly number[];
  bytes: Uint8Array;
}

/**
 * SHA-256, in hex, of what a safetensors file says: names, types, shapes and values of its tensors, and its metadata
 * but for the checksum itself. The order of the tensors and the layout of the header don't count, so a program that
 * copies everything to another file keeps it true.
 */
export function contentHash(
  tensors: Iterable<readonly [string, HashedTensor]>,
  metadata: Readonly<Record<string, string>>,
): string {
  const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]) => (a < b ? -1 : 1);
  const texts = Object.entries(metadata).filter(([key]) => key !== CHECKSUM_KEY);
  const hash = createHash('sha256').update(JSON.stringify(texts.sort(byName)));
  for (const [name, { dtype, shape, bytes }] of [...tensors].sort(byName)) {
    hash.update(JSON.stringify([name, dtype, shape])).update(bytes);
  }
  return hash.digest('hex');
}
