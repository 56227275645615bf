import type { Context } from 'hono';
import { describeValue } from '../../base/errors.js';
import { ApiError } from '../api_error.js';
import { lengthOf } from '../worker/frames.js';
import { readBody, readText, type Upload } from './body.js';
import type { ImageUrls } from './image_url.js';
import { readJsonBody } from './json_body.js';
import { readMultipart } from './multipart.js';

export interface Uploads {
  images: Upload[];
  /** Whether the client sent a list, and so expects one. */
  list: boolean;
}

export interface UploadOptions {
  /** Largest body. */
  maxBytes: number;
  /** Most images of one request. */
  maxFiles: number;
  urls: ImageUrls;
}

const EXAMPLE =
  'For example: curl -H "Content-Type: image/jpeg" --data-binary @image.jpg URL, or curl -F image=@image.jpg URL.';
const ACCEPTED = 'image/*, application/octet-stream, multipart/form-data or application/json';

/**
 * Takes the images out of a request: the raw body, the parts of a multipart body, in whatever fields, or what a JSON
 * body holds or names. An image without bytes is the reader's business.
 * @throws ApiError as {@link readBody}, 400 for a malformed body, 413 for too many images, 415 for another type or
 *   an encoded body
 */
export async function readUploads(c: Context, { maxBytes, maxFiles, urls }: UploadOptions): Promise<Uploads> {
  const encoding = (c.req.header('content-encoding') ?? '').trim().toLowerCase();
  if (encoding !== '' && encoding !== 'identity') {
    throw new ApiError({
      code: 'unsupported_encoding',
      message: 'The body is compressed.',
      expected: 'no Content-Encoding',
      received: encoding,
      hint: 'Send the image as it is: its format is compressed already.',
    });
  }
  // A body without a type may be taken for bytes: RFC 9110, 8.3.
  const type = (c.req.header('content-type') ?? 'application/octet-stream').split(';')[0].trim().toLowerCase();
  const uploads = await readByType(c, type, maxBytes, urls);
  if (uploads.images.length > maxFiles) {
    throw new ApiError({
      code: 'too_many_images',
      message: 'The request has too many images.',
      expected: `at most ${maxFiles}`,
      received: uploads.images.length,
      hint: 'Send the others in further requests.',
    });
  }
  return uploads;
}

/** @throws ApiError 400 for an image without bytes */
export function refuseEmpty({ bytes }: Upload): void {
  if (lengthOf(bytes) > 0) return;
  throw empty('The image has no bytes.');
}

function empty(message: string): ApiError {
  return new ApiError({ code: 'empty_body', message, expected: 'one image', hint: EXAMPLE });
}

async function readByType(c: Context, type: string, maxBytes: number, urls: ImageUrls): Promise<Uploads> {
  if (type.startsWith('image/') || type === 'application/octet-stream') {
    return { images: [{ bytes: await readBody(c, maxBytes), name: '' }], list: false };
  }
  if (type === 'multipart/form-data') {
    return readForm(await readBody(c, maxBytes), c.req.header('content-type') as string);
  }
  if (type === 'application/json') {
    const { images, list, url } = readJsonBody(await readText(c, maxBytes));
    if (url !== undefined) return { images: [await urls.fetch(url, c.req.raw.signal)], list };
    return { images: images.map((bytes) => ({ bytes, name: '' })), list };
  }
  throw new ApiError({
    code: 'unsupported_type',
    message: `The content type is not one of an image.`,
    expected: ACCEPTED,
    received: type,
    hint: EXAMPLE,
  });
}

/** The files of a form. A file input in which nothing was chosen is sent as well, and is none. */
async function readForm(body: Uint8Array[], contentType: string): Promise<Uploads> {
  const parts = await readMultipart(Buffer.concat(body), contentType);
  const texts = parts.filter(({ file }) => !file);
  const files = parts.filter(({ file, fileName, bytes }) => file && (fileName || bytes.length > 0));
  if (texts.length > 0 || parts.length === 0) {
    throw new ApiError({
      code: 'not_files',
      message: 'The multipart body is not one or several files.',
      expected: 'parts that are files; parameters go into the query of the URL',
      received: parts
        .slice(0, 10)
        .map(({ file, field }) => `${file ? 'file' : 'text'} in field ${describeValue(field)}`),
      hint: EXAMPLE,
    });
  }
  if (files.length === 0) throw empty('No file was chosen in the form.');
  return { images: files.map(({ bytes, fileName }) => ({ bytes, name: fileName ?? '' })), list: files.length > 1 };
}
