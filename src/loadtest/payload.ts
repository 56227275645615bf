import { basename } from 'node:path';
import { readBytes, sha256 } from '../base/files.js';
import type { Payload } from './client.js';

/** How to send an image: as the body, as a field of multipart/form-data, or as Base64 in JSON. */
export const BODIES = ['raw', 'form', 'json'] as const;

export type Body = (typeof BODIES)[number];

export interface PayloadOptions {
  body: Body;
  /** Name of the image field in the form or JSON object. */
  field: string;
}

/** One hash for an ordered list of images, from the SHA-256 of each. */
export const imagesHash = (hashes: readonly string[]): string => sha256(hashes.join('\n'));

/** Reads an image file as the body of a request. @throws UserError if it cannot be read */
export async function payloadOf(file: string, { body, field }: PayloadOptions): Promise<Payload> {
  const data = await readBytes(file);
  if (body === 'raw') return { data, type: 'application/octet-stream' };
  if (body === 'json') {
    return { data: Buffer.from(JSON.stringify({ [field]: data.toString('base64') })), type: 'application/json' };
  }
  const form = new FormData();
  form.set(field, new Blob([data]), basename(file));
  // The platform's encoder also chooses the boundary.
  const encoded = new Response(form);
  return { type: encoded.headers.get('content-type') ?? '', data: Buffer.from(await encoded.arrayBuffer()) };
}
