import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { messageOf } from '../../base/errors.js';
import { type FileBytes, lengthOf } from '../engine/frames.js';
import { checkMultipartShape } from '../security/body_shape.js';
import { HttpProblem } from './http_problem.js';
import { readJsonBody } from './json_body.js';
import type { PictureUrls } from './picture_url.js';

/** One picture of a request, as it came. */
export interface Upload {
  bytes: FileBytes;
  /** Name given by the client in a multipart body, or the last part of a URL; else empty. */
  name: string;
}

export interface Uploads {
  pictures: Upload[];
  /** Whether the client sent a list, and so expects one. */
  list: boolean;
}

export interface UploadOptions {
  /** Most pictures of one request. */
  maxFiles: number;
  urls: PictureUrls;
}

const EXAMPLE =
  'For example: curl -H "Content-Type: image/jpeg" --data-binary @picture.jpg URL, or curl -F image=@picture.jpg URL.';
const ACCEPTED = 'image/*, application/octet-stream, multipart/form-data or application/json';

/**
 * Takes the pictures out of a request: the raw body, the parts of a multipart body, in whatever fields, or what a JSON
 * body holds or names. The size of the body was limited before; a picture without bytes is the reader's business.
 * @throws HttpProblem 400 for a malformed body, 413 for too many pictures, 415 for another type or an encoded body
 */
export async function readUploads(c: Context, { maxFiles, urls }: UploadOptions): Promise<Uploads> {
  const encoding = c.req.header('content-encoding') ?? 'identity';
  if (encoding !== 'identity') {
    throw new HttpProblem(415, {
      code: 'unsupported_encoding',
      message: 'The body is compressed.',
      expected: 'no Content-Encoding',
      received: encoding,
    });
  }
  // A body without a type may be taken for bytes: RFC 9110, 8.3.
  const type = (c.req.header('content-type') ?? 'application/octet-stream').split(';')[0].trim().toLowerCase();
  const uploads = await readByType(c, type, urls);
  if (uploads.pictures.length > maxFiles) {
    throw new HttpProblem(413, {
      code: 'too_many_pictures',
      message: 'The request has too many pictures.',
      expected: `at most ${maxFiles}`,
      received: uploads.pictures.length,
      hint: 'Send the others in further requests.',
    });
  }
  return uploads;
}

/** @throws HttpProblem 400 for a picture without bytes */
export function refuseEmpty({ bytes }: Upload): void {
  if (lengthOf(bytes) > 0) return;
  throw new HttpProblem(400, {
    code: 'empty_body',
    message: 'The picture has no bytes.',
    expected: 'one picture',
    hint: EXAMPLE,
  });
}

async function readByType(c: Context, type: string, urls: PictureUrls): Promise<Uploads> {
  if (type === 'multipart/form-data') return readMultipart(c);
  if (type === 'application/json') {
    const { images, list, url } = readJsonBody(await c.req.text().catch(malformed));
    if (url !== undefined) return { pictures: [await urls.fetch(url, c.req.raw.signal)], list };
    return { pictures: images.map((bytes) => ({ bytes, name: '' })), list };
  }
  if (type.startsWith('image/') || type === 'application/octet-stream') {
    return { pictures: [{ bytes: await readRaw(c).catch(malformed), name: '' }], list: false };
  }
  throw new HttpProblem(415, {
    code: 'unsupported_type',
    message: `The content type is not one of a picture.`,
    expected: ACCEPTED,
    received: type,
    hint: EXAMPLE,
  });
}

/** Bytes of a body as it announces them; undefined when it comes in chunks of its own. */
export function announcedLength(c: Context): number | undefined {
  const length = c.req.header('content-length');
  return length === undefined || c.req.header('transfer-encoding') !== undefined ? undefined : Number(length);
}

/** The body in the pieces it came in: putting them together would copy every picture twice. */
async function readRaw(c: Context<{ Bindings: Partial<HttpBindings> }>): Promise<FileBytes> {
  const incoming = c.env?.incoming;
  // One that is counted while it comes is read by whoever counts it.
  if (incoming === undefined || announcedLength(c) === undefined) return new Uint8Array(await c.req.arrayBuffer());
  const pieces: Uint8Array[] = [];
  for await (const piece of incoming) pieces.push(piece);
  return pieces;
}

async function readMultipart(c: Context): Promise<Uploads> {
  const body = await c.req.arrayBuffer().catch(malformed);
  const type = c.req.header('content-type') as string;
  checkMultipartShape(Buffer.from(body), type);
  const form = await new Response(body, { headers: { 'content-type': type } }).formData().catch(malformed);
  const parts = [...form];
  const files = parts.map(([, value]) => value).filter((value) => typeof value !== 'string');
  if (files.length === 0 || files.length < parts.length) {
    const describe = ([field, value]: (typeof parts)[number]) =>
      `${typeof value === 'string' ? 'text' : 'file'} in field ${JSON.stringify(field)}`;
    throw new HttpProblem(400, {
      code: 'not_files',
      message: 'The multipart body is not one or several files.',
      expected: 'parts that are files, with a file name each',
      received: parts.slice(0, 10).map(describe),
      hint: EXAMPLE,
    });
  }
  const pictures = files.map(async (file) => ({ bytes: Buffer.from(await file.arrayBuffer()), name: file.name }));
  return { pictures: await Promise.all(pictures), list: files.length > 1 };
}

function malformed(cause: unknown): never {
  throw new HttpProblem(
    400,
    { code: 'malformed_body', message: `The body cannot be read: ${messageOf(cause)}.`, expected: ACCEPTED },
    { cause },
  );
}
