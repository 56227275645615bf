import { isUtf8 } from 'node:buffer';
import { once } from 'node:events';
import { Dicer } from '@fastify/busboy';
import { ApiError } from '../api_error.js';
import { checkMultipartShape } from '../security/body_shape.js';
import { type ParamHeader, parseParams } from './header_params.js';

/** One part of a form. */
export interface Part {
  /** Name of its field; empty when it has none. */
  field: string;
  /** Name of its file, as the client gave it. */
  fileName?: string;
  bytes: Buffer;
  /** Whether it is a file, not a text. */
  file: boolean;
}

/** Bytes of a part that are looked at to tell a file from a text. */
const SAMPLE_BYTES = 512;

/** Encodings of a part that change nothing. */
const IDENTITIES = ['', '7bit', '8bit', 'binary'];

type Headers = Record<string, string[] | undefined>;

/**
 * The parts of a `multipart/form-data` body, as browsers, curl, .NET and others write them (RFC 7578).
 * @throws ApiError 400 naming what cannot be read, 413 for too many parts
 */
export async function readMultipart(body: Buffer, contentType: string): Promise<Part[]> {
  const boundary = boundaryOf(contentType);
  checkMultipartShape(body, boundary);
  const raw: { headers?: Headers; pieces: Buffer[] }[] = [];
  const parser = new Dicer({ boundary });
  parser.on('part', (stream) => {
    const part: (typeof raw)[number] = { pieces: [] };
    raw.push(part);
    stream.on('header', (headers) => {
      part.headers = headers as Headers;
    });
    stream.on('data', (piece) => part.pieces.push(piece as Buffer));
    stream.on('error', () => {});
  });
  const finished = once(parser, 'finish');
  parser.end(body);
  await finished.catch((cause: Error) => {
    throw malformed(cause.message);
  });
  return raw.map(({ headers, pieces }, i) => {
    if (headers === undefined) throw malformed(`part ${i + 1} has no headers`);
    return readPart(headers, Buffer.concat(pieces), i + 1);
  });
}

function boundaryOf(contentType: string): string {
  const boundary = parseParams(contentType)?.params.get('boundary') ?? '';
  if (boundary.length > 0 && boundary.length <= 70 && !/[^\x20-\x7e]|["\\]| $/.test(boundary)) return boundary;
  throw malformed('the content type has no usable boundary', {
    expected: 'multipart/form-data with one boundary of 1 to 70 characters',
    received: contentType.slice(0, 200),
    hint: 'Let the HTTP library write this header: it knows the boundary.',
  });
}

function readPart(headers: Headers, encoded: Buffer, number: number): Part {
  const disposition = headerOf(headers, 'content-disposition', number);
  const { value: type } = headerOf(headers, 'content-type', number);
  if (type.startsWith('multipart/')) throw malformed(`part ${number} is a multipart body itself`);
  const bytes = decode(encoded, headers, number);
  const fileName = unescaped(disposition.params.get('filename'));
  // Clients leave out the name of the file, .NET also the type: then it is a file unless it is text.
  const named = fileName !== undefined || type.startsWith('image/') || type === 'application/octet-stream';
  return {
    field: unescaped(disposition.params.get('name')) ?? '',
    fileName,
    bytes,
    file: named || !isText(bytes),
  };
}

function headerOf(headers: Headers, name: string, number: number): ParamHeader {
  const [text = '', ...others] = headers[name] ?? [];
  const header = parseParams(text);
  if (header !== undefined && others.length === 0) return header;
  throw malformed(`part ${number} has a ${name} that cannot be read`, { received: [text, ...others].join(', ') });
}

/** The bytes themselves: RFC 7578 knows no encodings, some mail libraries write them all the same. */
function decode(bytes: Buffer, headers: Headers, number: number): Buffer {
  const encoding = (headers['content-transfer-encoding']?.[0] ?? '').trim().toLowerCase();
  if (IDENTITIES.includes(encoding)) return bytes;
  if (encoding === 'base64') {
    const text = bytes.toString('latin1').replace(/\s/g, '');
    const plain = Buffer.from(text, 'base64');
    if (plain.toString('base64') === text) return plain;
    throw malformed(`part ${number} is not the base64 that it says`);
  }
  throw malformed(`part ${number} has a Content-Transfer-Encoding`, {
    expected: 'the bytes of the image as they are',
    received: encoding.slice(0, 100),
  });
}

/** Quotes and line ends in names as browsers write them (HTML, 4.10.21.8). */
function unescaped(name: string | undefined): string | undefined {
  return name?.replace(/%(22|0a|0d)/gi, (code) => decodeURIComponent(code));
}

function isText(bytes: Buffer): boolean {
  const sample = bytes.subarray(0, SAMPLE_BYTES);
  // The cut may fall into a character.
  const whole = [0, 1, 2, 3].some((cut) => isUtf8(sample.subarray(0, sample.length - cut)));
  return whole && !sample.includes(0);
}

function malformed(what: string, rest: { expected?: string; received?: string; hint?: string } = {}): ApiError {
  return new ApiError({
    code: 'malformed_body',
    message: `The multipart body cannot be read: ${what}.`,
    ...rest,
  });
}
