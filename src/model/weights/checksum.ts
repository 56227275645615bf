import { createHash } from 'node:crypto';

/** Metadata key of the checksum. */
export const CHECKSUM_KEY = 'content_sha256';

export interface HashedTensor {
  dtype: string;
  shape: readonly number[];
  bytes: Uint8Array;
}

/**
 * SHA-256, in hex, of the content of a safetensors file: names, types, shapes and values of its tensors, and its
 * metadata except the checksum. The order of tensors and the layout of the header don't count, so the checksum survives
 * copying by other programs.
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
