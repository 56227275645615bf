import type { z } from 'zod';
import { describeValue, messageOf } from '../../base/errors.js';
import { ApiError } from '../api_error.js';

/** @throws ApiError 400 for what is no JSON, or has a key twice: the parser would take the last without a word */
export function parseJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ApiError(
      { code: 'malformed_body', message: 'The body is not JSON.', expected: 'JSON', received: messageOf(cause) },
      { cause },
    );
  }
  if (stringsOf(value) === stringsIn(text)) return value;
  throw new ApiError({
    code: 'repeated_key',
    message: 'A key of the JSON body occurs twice.',
    expected: 'each key once',
  });
}

/** @throws ApiError 400 naming the first field that does not fit the schema */
export function checkFields<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [{ path, message }] = parsed.error.issues;
  const received = path.reduce<unknown>((node, step) => (node as Record<PropertyKey, unknown>)[step], body);
  throw new ApiError({
    code: 'bad_field',
    message: path.length > 0 ? `The field ${path.join('.')} of the JSON body is wrong.` : 'The JSON body is wrong.',
    expected: message.replace(/^Invalid input: expected (.*?)(, received .*)?$/, '$1'),
    received: describeValue(typeof received === 'string' ? received.slice(0, 100) : received),
  });
}

/** Strings, keys among them, of a parsed value. */
function stringsOf(value: unknown): number {
  if (typeof value === 'string') return 1;
  if (typeof value !== 'object' || value === null) return 0;
  const inside = Object.values(value).reduce((sum: number, one) => sum + stringsOf(one), 0);
  return Array.isArray(value) ? inside : Object.keys(value).length + inside;
}

/** Strings of a JSON text. */
function stringsIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', at + 1)) {
    do at = text.indexOf('"', at + 1);
    while (isEscaped(text, at));
    count++;
  }
  return count;
}

function isEscaped(text: string, at: number): boolean {
  let slashes = 0;
  while (text[at - 1 - slashes] === '\\') slashes++;
  return slashes % 2 === 1;
}
