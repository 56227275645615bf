import { basename } from 'node:path';
import { readBytes, sha256 } from '../base/files.js';
import type { Payload } from './client.js';

/** How an image is sent: as the body, as a field of multipart/form-data, or in JSON as base64. */
export const BODIES = ['raw', 'form', 'json'] as const;

export type Body = (typeof BODIES)[number];

export interface PayloadOptions {
  body: Body;
  /** Name of the field that holds the image, of a form or of the JSON object. */
  field: string;
}

/** One hash for images in their order, of the SHA-256 of each. */
export const imagesHash = (hashes: readonly string[]): string => sha256(hashes.join('\n'));

/** An image's file as the body of a request. @throws UserError when it cannot be read */
export async function payloadOf(file: string, { body, field }: PayloadOptions): Promise<Payload> {
  const data = await readBytes(file);
  if (body === 'raw') return { data, type: 'application/octet-stream' };
  if (body === 'json') {
    return { data: Buffer.from(JSON.stringify({ [field]: data.toString('base64') })), type: 'application/json' };
  }
  const form = new FormData();
  form.set(field, new Blob([data]), basename(file));
  // The platform's own encoder, which also chooses the boundary.
  const encoded = new Response(form);
  return { type: encoded.headers.get('content-type') ?? '', data: Buffer.from(await encoded.arrayBuffer()) };
}
