/** An id as a file has it: an integer (a bigint beyond 2^53) or text; 1 and "1" are two ids, as for pycocotools. */
export type SourceId = number | bigint | string;

/** Put before the digits of a long integer by `parseJsonIds`, to tell it from text of the same digits. */
export const LONG_ID = '\u0001';

const [LOWEST, HIGHEST] = [-(2n ** 63n), 2n ** 63n - 1n];

/**
 * The id a value of JSON stands for; undefined where it is none. Beyond 64 bits NumPy, and so pycocotools, rounds
 * integers, and it cuts text at a NUL: those are no ids.
 */
export function sourceId(value: unknown): SourceId | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value + 0 : undefined;
  if (typeof value !== 'string' || value.includes('\0')) return undefined;
  if (!value.startsWith(LONG_ID)) return value;
  const exact = BigInt(value.slice(LONG_ID.length));
  if (exact < LOWEST || exact > HIGHEST) return undefined;
  return Number.isSafeInteger(Number(exact)) ? Number(exact) : exact;
}

/** Orders ids of one kind as NumPy does: integers by value, text by code points. */
export function compareIds(a: SourceId, b: SourceId): number {
  if (typeof a !== 'string' || typeof b !== 'string') return a < b ? -1 : a > b ? 1 : 0;
  const [left, right] = [Array.from(a), Array.from(b)];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    if (left[i] !== right[i]) return (left[i].codePointAt(0) as number) - (right[i].codePointAt(0) as number);
  }
  return left.length - right.length;
}

/** Numbers from 1 for distinct ids, ascending. */
export function numberInOrder(ids: Iterable<SourceId>): Map<SourceId, number> {
  return new Map([...new Set(ids)].sort(compareIds).map((id, index) => [id, index + 1]));
}

/** Whether an annotation id is what Python's float takes for 0. */
export function isZero(id: SourceId): boolean {
  return typeof id === 'string' ? id.trim() !== '' && Number(id) === 0 : id === 0;
}

/** Text of an id for people: text in quotes. */
export function describeId(id: SourceId): string {
  return typeof id === 'string' ? JSON.stringify(id) : String(id);
}
