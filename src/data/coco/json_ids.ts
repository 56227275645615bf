import { messageOf, UserError } from '../../base/errors.js';

/** An id in a COCO file: an integer, or text for anything that is not a safe integer. */
export type Id = number | string;

/**
 * An integer of 16 digits or more as the value of an id. Beyond 2^53 JSON.parse rounds such numbers, so that different
 * ids become one. An unescaped quote before the key excludes strings that merely contain such text.
 */
const LONG_ID = /(?<!\\)("(?:image_|category_)?id"\s*:\s*)(-?\d{16,})(?:\.0+)?(?=\s*[,}])/g;

/** A string, which stays unchanged, or a number word that Python's json writes but JSON does not allow. */
const STRING_OR_WORD = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\bInfinity\b|\bNaN\b/gs;

/** An integer in decimal text, including `1.0`, as pandas writes whole numbers. */
const INTEGER = /^(-?(?:0|[1-9]\d*))(?:\.0+)?$/;

/**
 * Parses JSON without rounding COCO's `id`, `image_id` and `category_id`; long ones become text. Skips a byte order
 * mark, and reads NaN and ±Infinity, which Python writes unquoted, as null.
 *
 * @param where name of the file, for messages
 * @param longMark prefix for the digits of a long id, to distinguish it from text with the same digits
 * @throws UserError if the text is not JSON
 */
export function parseJsonIds(text: string, where: string, longMark = ''): unknown {
  const body = (text.startsWith('\uFEFF') ? text.slice(1) : text).replace(
    LONG_ID,
    (_, key: string, digits: string) => key + JSON.stringify(longMark + digits),
  );
  try {
    return JSON.parse(body);
  } catch (error) {
    try {
      return JSON.parse(body.replace(STRING_OR_WORD, (token) => (token.startsWith('"') ? token : 'null')));
    } catch {
      const reason = messageOf(error);
      throw new UserError({ where, expected: 'valid JSON', reason, hint: hintFor(reason) }, { cause: error });
    }
  }
}

function hintFor(reason: string): string {
  if (/after JSON/.test(reason)) return 'It holds several values: put them into one list.';
  return /end of JSON|Unterminated/.test(reason)
    ? 'It is cut off: export or copy it again.'
    : 'JSON has no comments, no comma before ] or }, and double quotes only.';
}

/**
 * Returns the id in a JSON value; undefined if it is not an id (missing, empty, a fraction, a rounded number). An
 * integer and its decimal text are the same id: 1, 1.0, "1" and "1.0".
 */
export function idOf(value: unknown): Id | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value + 0 : undefined;
  if (typeof value !== 'string' || value === '') return undefined;
  const digits = INTEGER.exec(value)?.[1];
  if (digits === undefined) return value;
  return Number.isSafeInteger(Number(digits)) ? Number(digits) + 0 : digits;
}

/** Whether a value is an integer id written as text. */
export function isTextInteger(value: unknown): boolean {
  return typeof value === 'string' && typeof idOf(value) === 'number';
}

/**
 * Assigns an integer to each id: itself if it is a safe integer; for text, unused ones above all of these, in order.
 */
export function numberIds(ids: Iterable<Id>): Map<Id, number> {
  const all = new Set(ids);
  const free = freeNumbers([...all].filter((id) => typeof id === 'number'));
  return new Map([...all].map((id) => [id, typeof id === 'number' ? id : free()]));
}

/** Yields positive integers that are not in `taken`, each once: first above the highest, then from 1. */
export function freeNumbers(taken: Iterable<number>): () => number {
  const used = new Set(taken);
  let last = 0;
  for (const id of used) last = Math.max(last, id);
  return () => {
    do last = last < Number.MAX_SAFE_INTEGER ? last + 1 : 1;
    while (used.has(last));
    used.add(last);
    return last;
  };
}
