import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { RequestError } from '@hono/node-server';
import { ERROR_STATUS, type ErrorBody } from '../api_error.js';

// Answers to what never reaches the application, in the shape of all others.

/** Node's code for a connection that ends inside a request. */
export const CUT_OFF = 'HPE_INVALID_EOF_STATE';

/** What Node's parser refuses, by its code. */
const PARSER_ERRORS: Record<string, ErrorBody> = {
  ERR_HTTP_REQUEST_TIMEOUT: { code: 'request_timeout', message: 'The request took too long to arrive.' },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: { code: 'too_large', message: 'The extensions of a chunk are too large.' },
  HPE_HEADER_OVERFLOW: {
    code: 'head_too_large',
    message: 'The line and headers of the request are too large.',
    expected: 'at most 16 kB',
  },
  [CUT_OFF]: { code: 'cut_off', message: 'The request ended in the middle.' },
};

type ParserError = NodeJS.ErrnoException & { reason?: string };

/** Refuses a request without Hono, at once and whole. */
export function answerPlainly(outgoing: ServerResponse, error: ErrorBody): void {
  const status = ERROR_STATUS[error.code];
  const body = JSON.stringify({ error });
  outgoing.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    ...(status === 503 && { 'Retry-After': '1' }),
  });
  outgoing.end(body);
}

/** Whether a request says nowhere what host it is for, as HTTP/1.1 demands; probes in HTTP/1.0 need none. */
export function lacksHost({ httpVersion, headers }: IncomingMessage): boolean {
  return httpVersion !== '1.0' && headers.host === undefined;
}

export function refuseHostless(_: IncomingMessage, outgoing: ServerResponse): void {
  outgoing.shouldKeepAlive = false;
  answerPlainly(outgoing, { code: 'no_host', message: 'The request has no Host header.', expected: 'Host: name' });
}

/** The answer to a request whose target or host is no URL. */
export function answerBadRequest(error: unknown): Response {
  const body: ErrorBody =
    error instanceof RequestError
      ? { code: 'bad_request', message: `The request cannot be understood: ${error.message}.` }
      : { code: 'internal', message: 'The service failed.' };
  return Response.json({ error: body }, { status: ERROR_STATUS[body.code] });
}

/**
 * Answers what is no HTTP, is too large or too slow, and closes the connection.
 * @param onAnswer told the status of each
 */
export function answerMalformed(server: Server, onAnswer: (status: number) => void): void {
  server.on('clientError', (error: ParserError, stream) => {
    const socket = stream as Socket & { _httpMessage?: ServerResponse };
    // What has begun to be answered cannot be answered otherwise.
    if (error.code !== 'ECONNRESET' && socket.writable && !socket._httpMessage?.headersSent) {
      const body = PARSER_ERRORS[error.code ?? ''] ?? malformed(error);
      onAnswer(ERROR_STATUS[body.code]);
      socket.write(rawAnswer(body));
    }
    socket.destroy(error);
  });
  server.on('checkExpectation', (_, outgoing: ServerResponse) => {
    onAnswer(417);
    const message = 'The service meets no expectation but 100-continue.';
    answerPlainly(outgoing, { code: 'unknown_expectation', message });
  });
}

const malformed = ({ reason, message }: ParserError): ErrorBody => ({
  code: 'malformed_request',
  message: `This is not HTTP: ${reason ?? message}.`,
});

function rawAnswer(error: ErrorBody): string {
  const status = ERROR_STATUS[error.code];
  const body = JSON.stringify({ error });
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, 'Connection: close', 'Content-Type: application/json'];
  return `${head.join('\r\n')}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}
