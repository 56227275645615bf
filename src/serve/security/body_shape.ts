import { HttpProblem } from '../http/http_problem.js';

// Parsers take time and memory by the parts of a body, not by its bytes: 20 MB of empty strings or files stop a process
// for half a minute and take gigabytes. So bodies are looked over before they are parsed.

/** Values in JSON, parts of a multipart body: more than any list of pictures needs. */
const MAX_VALUES = 4096;
const MAX_PARTS = 1024;

/** Bytes of the headers of one part of a multipart body. */
const MAX_PART_HEADERS = 2048;

/** A boundary as clients write it; other parameters are single words, so that every parser finds the same one. */
const MULTIPART =
  /^multipart\/form-data(?: *; *(?!boundary=)[\w-]+=[\w.-]+)* *; *boundary=(?:"([^"\\]{1,70})"|([^\s;"\\]{1,70}))(?: *; *(?!boundary=)[\w-]+=[\w.-]+)* *$/i;

/** @throws HttpProblem 413 for a JSON text of more values than a body for us has */
export function checkJsonShape(text: string): void {
  let found = 0;
  for (const mark of [',', '[', '{']) {
    for (let at = text.indexOf(mark); at >= 0; at = text.indexOf(mark, at + 1)) {
      if (++found > MAX_VALUES) throw tooManyParts(MAX_VALUES);
    }
  }
}

/** @throws HttpProblem 400 for a content type or a part that is not as clients write it, 413 for too many parts */
export function checkMultipartShape(bytes: Buffer, contentType: string): void {
  const match = MULTIPART.exec(contentType);
  if (match === null)
    throw malformed('multipart/form-data with a boundary of 1 to 70 characters', contentType.slice(0, 200));
  const delimiter = Buffer.from(`--${match[1] ?? match[2]}`, 'latin1');
  let parts = 0;
  for (let at = bytes.indexOf(delimiter); at >= 0; at = bytes.indexOf(delimiter, at)) {
    at += delimiter.length;
    if (bytes.toString('latin1', at, at + 2) === '--') return;
    if (++parts > MAX_PARTS) throw tooManyParts(MAX_PARTS);
    if (!bytes.subarray(at, at + MAX_PART_HEADERS).includes('\r\n\r\n')) {
      throw malformed(`parts with at most ${MAX_PART_HEADERS} bytes of headers`);
    }
  }
}

function tooManyParts(limit: number): HttpProblem {
  const message = 'The body has too many parts.';
  return new HttpProblem(413, { code: 'too_many_parts', message, expected: `at most ${limit}` });
}

function malformed(expected: string, received?: string): HttpProblem {
  return new HttpProblem(400, { code: 'malformed_body', message: 'The body cannot be read.', expected, received });
}
