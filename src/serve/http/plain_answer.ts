import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { RequestError } from '@hono/node-server';
import { CUT_OFF } from './body.js';
import type { Reason } from './reason.js';

// Answers to what never reaches the application, in the shape of all others.

/** Statuses of what the parser finds, as Node gives them; all others are 400. */
const STATUSES: Record<string, number> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

const REASONS: Record<number, Reason> = {
  408: { code: 'too_slow', message: 'The request did not come in time.' },
  413: { code: 'too_large', message: 'The extensions of a chunk are too large.' },
  431: {
    code: 'head_too_large',
    message: 'The line and headers of the request are too large.',
    expected: 'at most 16 kB',
  },
};

type ParserError = NodeJS.ErrnoException & { reason?: string };

/** Answers a request with a reason, at once and whole. */
export function answerPlainly(outgoing: ServerResponse, status: number, reason: Reason): void {
  const body = JSON.stringify({ error: reason });
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
  answerPlainly(outgoing, 400, { code: 'no_host', message: 'The request has no Host header.', expected: 'Host: name' });
}

/** The answer to a request whose target or host is no URL. */
export function answerBadRequest(error: unknown): Response {
  const bad = error instanceof RequestError;
  const reason: Reason = bad
    ? { code: 'bad_request', message: `The request cannot be understood: ${error.message}.` }
    : { code: 'internal', message: 'The service failed.' };
  return Response.json({ error: reason }, { status: bad ? 400 : 500 });
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
      const status = STATUSES[error.code ?? ''] ?? 400;
      const reason = REASONS[status] ?? malformed(error);
      onAnswer(status);
      socket.write(rawAnswer(status, reason));
    }
    socket.destroy(error);
  });
  server.on('checkExpectation', (_, outgoing: ServerResponse) => {
    onAnswer(417);
    const message = 'The service meets no expectation but 100-continue.';
    answerPlainly(outgoing, 417, { code: 'unknown_expectation', message });
  });
}

function malformed({ code, reason, message }: ParserError): Reason {
  if (code === CUT_OFF) return { code: 'cut_off', message: 'The request ended in the middle.' };
  return { code: 'malformed_request', message: `This is not HTTP: ${reason ?? message}.` };
}

function rawAnswer(status: number, reason: Reason): string {
  const body = JSON.stringify({ error: reason });
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, 'Connection: close', 'Content-Type: application/json'];
  return `${head.join('\r\n')}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}
