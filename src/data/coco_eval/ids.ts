/** An id in a file: an integer (a bigint beyond 2^53) or text; 1 and "1" are different ids, as in pycocotools. */
export type SourceId = number | bigint | string;

/**
 * Prefix that `parseJsonIds` adds to the digits of a long integer, to distinguish it from text with the same digits.
 */
export const LONG_ID = '\u0001';

const [LOWEST, HIGHEST] = [-(2n ** 63n), 2n ** 63n - 1n];

/**
 * Returns the id in a JSON value; undefined if it is not an id. NumPy, and so pycocotools, rounds integers beyond 64
 * bits and truncates text at NUL, so these are not ids.
 */
export function sourceId(value: unknown): SourceId | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value + 0 : undefined;
  if (typeof value !== 'string' || value.includes('\0')) return undefined;
  if (!value.startsWith(LONG_ID)) return value;
  const exact = BigInt(value.slice(LONG_ID.length));
  if (exact < LOWEST || exact > HIGHEST) return undefined;
  return Number.isSafeInteger(Number(exact)) ? Number(exact) : exact;
}

/** Compares ids of one type like NumPy: integers by value, text by code points. */
export function compareIds(a: SourceId, b: SourceId): number {
  if (typeof a !== 'string' || typeof b !== 'string') return a < b ? -1 : a > b ? 1 : 0;
  const [left, right] = [Array.from(a), Array.from(b)];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    if (left[i] !== right[i]) return (left[i].codePointAt(0) as number) - (right[i].codePointAt(0) as number);
  }
  return left.length - right.length;
}

/** Assigns numbers from 1 to distinct ids, in ascending order. */
export function numberInOrder(ids: Iterable<SourceId>): Map<SourceId, number> {
  return new Map([...new Set(ids)].sort(compareIds).map((id, index) => [id, index + 1]));
}

/** Whether Python's float would convert an annotation id to 0. */
export function isZero(id: SourceId): boolean {
  return typeof id === 'string' ? id.trim() !== '' && Number(id) === 0 : id === 0;
}

/** Formats an id for people, with text in quotes. */
export function describeId(id: SourceId): string {
  return typeof id === 'string' ? JSON.stringify(id) : String(id);
}
