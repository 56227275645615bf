import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { Random } from '../../../src/base/random.js';
import { oddBytes } from './raw_bytes.js';
import { type FuzzRequest, oddRequest } from './requests.js';

/** Requests under way at once. */
const LANES = 16;
/** Share of requests that are bytes on a bare connection. */
const RAW = 0.15;
/** Milliseconds after which an answer counts as never coming; far above what any takes. */
const ANSWER_MS = 20_000;
/** Milliseconds given to bytes that may be half a request before the connection is half closed. */
const HALF_MS = 40;

/** What a server says before it reads a body that a client asked about. */
const INTERIM = 'HTTP/1.1 100 Continue\r\n\r\n';

export interface AttackOptions {
  url: string;
  seed: number;
  /** Numbers of the first request and of the one after the last; each is made from its number and the seed. */
  from: number;
  to: number;
  images: readonly Buffer[];
  /** Text that no answer may hold. */
  hidden: readonly string[];
}

interface Reply {
  status: number | 'closed';
  text: string;
}

/** Answers by status; `closed` are connections that the server closed without one. */
export type Tally = Map<number | 'closed', number>;

/**
 * Sends malformed requests and counts the answers.
 * @throws Error naming the request that was not answered, or 5xx (503 is asked again), or with what is to be hidden
 */
export async function attack({ url, seed, from, to, images, hidden }: AttackOptions): Promise<Tally> {
  const pool = new Pool(url, { connections: LANES, headersTimeout: ANSWER_MS, bodyTimeout: ANSWER_MS });
  const tally: Tally = new Map();
  let next = from;
  const lane = async () => {
    while (next < to) {
      const number = next++;
      const random = new Random(seed, 'fuzz', number);
      const bytes = random.chance(RAW) ? oddBytes(random, images) : undefined;
      const request = oddRequest(random, images);
      const send = async () => {
        const { status, text } = await (bytes === undefined ? ask(pool, request) : shout(url, bytes));
        const shown = hidden.find((secret) => text.includes(secret));
        if (shown !== undefined) throw new Error(`the answer shows ${shown}`);
        return status;
      };
      try {
        let status = await send();
        while (status === 503) {
          await sleep(20);
          status = await send();
        }
        tally.set(status, (tally.get(status) ?? 0) + 1);
        if (status !== 'closed' && status >= 500) throw new Error(`status ${status}`);
      } catch (cause) {
        const what =
          bytes === undefined ? `${request.method} ${request.path}` : bytes.subarray(0, 200).toString('latin1');
        throw new Error(`request ${number} of seed ${seed}, ${JSON.stringify(what)}: ${cause}`, { cause });
      }
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  await pool.close();
  return tally;
}

async function ask(pool: Pool, { method, path, headers, body }: FuzzRequest): Promise<Reply> {
  const response = await pool.request({ method: method as 'GET', path, headers, body, reset: false });
  return { status: response.statusCode, text: await response.body.text() };
}

/** The status of the first answer to bytes on a connection of their own. */
async function shout(url: string, bytes: Buffer): Promise<Reply> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  let said = '';
  // A server that refuses may reset the connection while bytes are still on their way to it.
  socket.on('error', () => {});
  const answered = new Promise<void>((resolve) => {
    socket.setEncoding('latin1').on('close', resolve);
    socket.on('end', resolve).on('data', (chunk: string) => {
      said += chunk;
      if (/\r\n\r\n/.test(said.replace(INTERIM, ''))) resolve();
    });
  });
  socket.write(bytes);
  const half = setTimeout(() => socket.end(), HALF_MS);
  const settled = new AbortController();
  try {
    await Promise.race([answered, sleep(ANSWER_MS, undefined, { signal: settled.signal }).then(never)]);
  } finally {
    clearTimeout(half);
    settled.abort();
    socket.destroy();
  }
  await (socket.closed || once(socket, 'close'));
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(said.replace(INTERIM, ''))?.[1];
  if (status === undefined && said.replace(INTERIM, '') !== '') throw new Error(`not an answer: ${said.slice(0, 100)}`);
  return { status: status === undefined ? 'closed' : Number(status), text: said };
}

function never(): never {
  throw new Error(`neither answered nor closed in ${ANSWER_MS} ms`);
}
