import type { Context } from 'hono';
import { messageOf, UserError } from '../../base/errors.js';
import { decodePicture, readHeader } from '../../data/decode.js';
import type { Picture } from '../../data/picture.js';
import { HttpProblem } from './http_problem.js';

/** The one file of a request. */
export interface Upload {
  bytes: Buffer;
  /** Name given by the client in a multipart body, else empty. */
  name: string;
}

const EXAMPLE =
  'For example: curl -H "Content-Type: image/jpeg" --data-binary @picture.jpg URL, or curl -F image=@picture.jpg URL.';
const ACCEPTED = 'image/*, application/octet-stream or multipart/form-data';

/**
 * Takes the picture out of a request: the raw body, or the only part of a multipart body, in whatever field.
 * The size of the body was limited before.
 * @throws HttpProblem 400 for an empty or malformed body, 415 for another type or an encoded body.
 */
export async function readUpload(c: Context): Promise<Upload> {
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
  const upload = type === 'multipart/form-data' ? await readMultipart(c) : await readRaw(c, type);
  if (upload.bytes.length === 0) {
    throw new HttpProblem(400, {
      code: 'empty_body',
      message: 'The picture has no bytes.',
      expected: 'one picture',
      hint: EXAMPLE,
    });
  }
  return upload;
}

/**
 * Decodes the picture of a request.
 * @throws HttpProblem 413 when it has more than `maxPixels`, 422 when it is no picture or a damaged one
 */
export async function decodeUpload(bytes: Uint8Array, maxPixels: number): Promise<Picture> {
  try {
    return await decodePicture(bytes, { maxPixels });
  } catch (cause) {
    if (!(cause instanceof UserError)) throw cause;
    const { expected, received, hint } = cause.problem;
    const size = await readHeader(bytes, { maxPixels: Number.POSITIVE_INFINITY }).catch(() => undefined);
    const tooMany = size !== undefined && size.width * size.height > maxPixels;
    throw tooMany
      ? new HttpProblem(413, {
          code: 'too_many_pixels',
          message: 'The picture has too many pixels.',
          expected,
          received,
          hint,
        })
      : new HttpProblem(422, {
          code: 'undecodable',
          message: 'The body is not a picture, or a damaged one.',
          expected,
          received,
          hint,
        });
  }
}

async function readRaw(c: Context, type: string): Promise<Upload> {
  if (!type.startsWith('image/') && type !== 'application/octet-stream') {
    throw new HttpProblem(415, {
      code: 'unsupported_type',
      message: `The content type is not one of a picture.`,
      expected: ACCEPTED,
      received: type,
      hint: EXAMPLE,
    });
  }
  const body = await c.req.arrayBuffer().catch(malformed);
  return { bytes: Buffer.from(body), name: '' };
}

async function readMultipart(c: Context): Promise<Upload> {
  const parts = [...(await c.req.formData().catch(malformed))];
  const [part] = parts;
  if (parts.length !== 1 || typeof part[1] === 'string') {
    const describe = ([field, value]: (typeof parts)[number]) =>
      typeof value === 'string' ? `text field ${JSON.stringify(field)}` : `file in field ${JSON.stringify(field)}`;
    throw new HttpProblem(400, {
      code: 'not_one_file',
      message: 'The multipart body is not exactly one file.',
      expected: 'one part, a file with a file name',
      received: parts.slice(0, 10).map(describe),
      hint: EXAMPLE,
    });
  }
  const file = part[1];
  return { bytes: Buffer.from(await file.arrayBuffer()), name: file.name };
}

function malformed(cause: unknown): never {
  throw new HttpProblem(
    400,
    { code: 'malformed_body', message: `The body cannot be read: ${messageOf(cause)}.`, expected: ACCEPTED },
    { cause },
  );
}
