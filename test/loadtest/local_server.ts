import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Runs `use` against a server on a free port, which is closed afterwards. */
export async function withLocalServer<T>(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  use: (url: string, connections: () => number) => Promise<T>,
): Promise<T> {
  let connections = 0;
  const server = createServer((request, response) => {
    request.resume().on('end', () => answer(request, response));
  })
    .on('connection', () => connections++)
    .listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/predict`, () => connections);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

/** The target of a test: two bodies, sent in turns. */
export function targetAt(url: string, timeoutSeconds = 10) {
  const payloads = ['first', 'second'].map((text) => ({ data: Buffer.from(text), type: 'application/octet-stream' }));
  return { url, payloads, timeoutSeconds };
}
