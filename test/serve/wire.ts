import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { configSchema, type ServeConfig } from '../../src/config/schema.js';
import { createLog } from '../../src/serve/observe/log.js';
import { startServer } from '../../src/serve/server.js';
import { makeBundle } from './make_bundle.js';

/** Milliseconds after which a condition counts as never met; far above what any takes on a busy machine. */
const PATIENCE_MS = 60_000;

/** An answer as it came over a socket. */
export interface WireAnswer {
  status: number;
  headers: Map<string, string>;
  body: string;
}

export type LogLine = Record<string, unknown> & { level: string; msg: string };

/** The real service of a small model, asked over bare sockets. */
export interface Wire {
  url: string;
  dir: string;
  image: Buffer<ArrayBuffer>;
  /** What was logged. */
  lines(): LogLine[];
  /** A connection, from this address. */
  open(localAddress?: string): Promise<Socket>;
  /** The first answer to bytes on a connection of their own; status 0 when it was closed without one. */
  ask(request: string | Buffer, localAddress?: string): Promise<WireAnswer>;
  close(): Promise<void>;
}

export async function startWire(options: Partial<ServeConfig> = {}): Promise<Wire> {
  const dir = await makeBundle();
  let text = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += chunk;
      done();
    },
  });
  const config = { ...configSchema.parse({}).serve, port: 0, logLevel: 'debug' as const, ...options };
  const server = await startServer(dir, config, createLog(config.logLevel, stream));
  const port = Number(new URL(server.url).port);
  const open = async (localAddress = '127.0.0.1') => {
    const socket = connect({ port, host: '127.0.0.1', localAddress });
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  };
  return {
    url: server.url,
    dir,
    image: await readFile(join(dir, 'test_image.jpg')),
    lines: () =>
      text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as LogLine),
    open,
    async ask(request, localAddress) {
      const socket = await open(localAddress);
      socket.write(request);
      const answer = await firstAnswer(socket);
      socket.destroy();
      return answer;
    },
    async close() {
      await server.close();
      await rm(dir, { recursive: true });
    },
  };
}

/** The next answer on a connection. */
export async function firstAnswer(socket: Socket): Promise<WireAnswer> {
  let bytes = Buffer.alloc(0);
  const whole = () => /^.*?\r\n\r\n/s.exec(bytes.toString('latin1'))?.[0];
  return new Promise((resolve) => {
    const settle = () => {
      const head = whole();
      if (head === undefined) return undefined;
      const [line, ...fields] = head.trim().split('\r\n');
      const headers = new Map(fields.map((field) => [field.split(':')[0].toLowerCase(), field.replace(/^.*?: */, '')]));
      const body = bytes.subarray(head.length);
      if (body.length < Number(headers.get('content-length') ?? 0)) return undefined;
      return { status: Number(line.split(' ')[1]), headers, body: body.toString() };
    };
    socket.on('data', (piece: Buffer) => {
      bytes = Buffer.concat([bytes, piece]);
      const answer = settle();
      if (answer) resolve(answer);
    });
    socket.once('close', () => resolve(settle() ?? { status: 0, headers: new Map(), body: bytes.toString('latin1') }));
  });
}

/** The head of a POST with a body, and what more its connection needs. */
export const postHead = (type: string, length: number | 'chunked', path = '/predict'): string =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: ${type}\r\n${
    length === 'chunked' ? 'Transfer-Encoding: chunked' : `Content-Length: ${length}`
  }\r\n\r\n`;

/** Waits until something holds. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`never held: ${holds}`);
    await sleep(10);
  }
}
