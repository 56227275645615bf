import { ApiError } from '../api_error.js';

// Parsers take time and memory by the parts of a body, not by its bytes: 20 MB of empty strings or files stop a process
// for half a minute and take gigabytes. So bodies are looked over before they are parsed.

/** Values in JSON, parts of a multipart body: more than any list of images needs. */
const MAX_VALUES = 4096;
const MAX_PARTS = 1024;

/** Bytes of the headers of one part of a multipart body. */
const MAX_PART_HEADERS = 2048;

/** @throws ApiError 413 for a JSON text of more values than a body for us has */
export function checkJsonShape(text: string): void {
  let found = 0;
  for (const mark of [',', '[', '{']) {
    for (let at = text.indexOf(mark); at >= 0; at = text.indexOf(mark, at + 1)) {
      if (++found > MAX_VALUES) throw tooManyParts(MAX_VALUES);
    }
  }
}

/** @throws ApiError 400 for a body that is not framed by its boundary, or a part with long headers, 413 for too many */
export function checkMultipartShape(bytes: Buffer, boundary: string): void {
  const first = Buffer.from(`--${boundary}`, 'latin1');
  const next = Buffer.concat([Buffer.from('\r\n'), first]);
  let parts = 0;
  const nextAfter = (from: number) => {
    const found = bytes.indexOf(next, from);
    return found < 0 ? found : found + next.length;
  };
  const start = bytes.subarray(0, first.length).equals(first) ? first.length : nextAfter(0);
  for (let at = start; at >= 0; at = nextAfter(at)) {
    const after = bytes.toString('latin1', at, at + 2);
    if (after === '--') return;
    if (++parts > MAX_PARTS) throw tooManyParts(MAX_PARTS);
    if (after.startsWith('\n')) throw malformed('its lines do not end with CR LF', 'lines that end with \\r\\n');
    if (after !== '\r\n') throw malformed('a boundary has more on its line', `--${boundary} on a line of its own`);
    if (!bytes.subarray(at, at + MAX_PART_HEADERS).includes('\r\n\r\n')) {
      const expected = `at most ${MAX_PART_HEADERS} bytes, and an empty line`;
      throw malformed(`part ${parts} has no headers, or long ones`, expected);
    }
  }
  throw parts === 0
    ? malformed('its boundary is not in it', `--${boundary} before each part`)
    : malformed('it was cut off, or has another boundary at its end', `--${boundary}-- at its end`);
}

function tooManyParts(limit: number): ApiError {
  const message = 'The body has too many parts.';
  return new ApiError({ code: 'too_many_parts', message, expected: `at most ${limit}` });
}

function malformed(what: string, expected: string): ApiError {
  return new ApiError({
    code: 'malformed_body',
    message: `The multipart body cannot be read: ${what}.`,
    expected,
  });
}
