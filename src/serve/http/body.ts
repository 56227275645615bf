import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { messageOf } from '../../base/errors.js';
import { ApiError, clientGone } from '../api_error.js';
import type { FileBytes } from '../detect_request.js';
import { CUT_OFF } from '../security/plain_answer.js';

/** One image of a request, as it came. */
export interface Upload {
  bytes: FileBytes;
  /** Name given by the client in a multipart body, or the last part of a URL; else empty. */
  name: string;
  /** A sentence on where it came from, for a refusal. */
  origin?: string;
}

/** @throws ApiError 413 for a body that announces more than `maxBytes`, before it is read */
export function refuseLarge(c: Context, maxBytes: number): void {
  // Where there is a Transfer-Encoding the parser takes no Content-Length.
  if (Number(c.req.header('content-length') ?? 0) > maxBytes) throw tooLarge(maxBytes);
}

/**
 * The body in the pieces it came in: putting them together would copy every image twice.
 * @throws ApiError 413 once more than `maxBytes` came, 499 when the client has gone in the middle, 408 when it was too
 *   slow, 400 for broken framing
 */
export async function readBody(
  c: Context<{ Bindings: Partial<HttpBindings> }>,
  maxBytes: number,
): Promise<Uint8Array[]> {
  const incoming = c.env?.incoming;
  const pieces: Uint8Array[] = [];
  let size = 0;
  try {
    // Ending the iteration must not end the connection, on which the refusal is sent.
    for await (const piece of incoming?.iterator({ destroyOnReturn: false }) ?? c.req.raw.body ?? []) {
      size += piece.length;
      if (size > maxBytes) throw tooLarge(maxBytes);
      pieces.push(piece);
    }
  } catch (error) {
    throw error instanceof ApiError ? error : cutOff(error, incoming?.socket?.errored);
  }
  return pieces;
}

/** The body as text in UTF-8. Errors as in {@link readBody}. */
export async function readText(c: Context, maxBytes: number): Promise<string> {
  return new TextDecoder().decode(Buffer.concat(await readBody(c, maxBytes)));
}

/** @param reason of which the connection ended, if not of its client */
function cutOff(cause: unknown, reason: NodeJS.ErrnoException | null | undefined): ApiError {
  const { code = '' } = reason ?? {};
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new ApiError({ code: 'request_timeout', message: 'The request took too long to arrive.' }, { cause });
  }
  if (code.startsWith('HPE_') && code !== CUT_OFF) {
    const message = `The body cannot be read: ${messageOf(reason)}.`;
    return new ApiError({ code: 'malformed_body', message }, { cause });
  }
  return clientGone(cause);
}

function tooLarge(maxBytes: number): ApiError {
  return new ApiError({
    code: 'too_large',
    message: 'The body is too large.',
    expected: `at most ${maxBytes} bytes`,
  });
}
