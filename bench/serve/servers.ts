import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { log } from '../../src/base/progress.js';
import { Client, type Target } from '../../src/loadtest/client.js';
import { payloadOf } from '../../src/loadtest/payload.js';
import type { Answer } from '../../src/serve/http/answer.js';
import { CLI } from './cli.js';

/** Python with FastAPI and BentoML, see bench/README.md. */
const PYTHON = process.env.YOLOX_BENCH_PYTHON ?? 'python3';
const PEERS = join(import.meta.dirname, '../peers');

/** Seconds after which a server that does not answer is given up, and that one is given to stop. */
const START_S = 60;
const STOP_S = 10;

/** Milliseconds between two attempts to get a first answer. */
const ATTEMPT_MS = 10;

/** Characters of a server's log kept for the message when it does not start. */
const LOG_LENGTH = 2000;

/** How a server is started, and how it takes images. */
export interface Server {
  name: string;
  command(port: number): { file: string; args: string[]; env?: Record<string, string> };
  body: 'raw' | 'form';
  field: string;
}

export interface RunningServer {
  name: string;
  /** How it was started. */
  server: Server;
  url: string;
  pid: number;
  /** Milliseconds from its start to its first answer about an image. */
  startMs: number;
  stop(): Promise<void>;
}

/** Nobody writes a line for each request: a log would be measured as well. */
const QUIET = ['--serve.logLevel', 'warn'];

export const ours = (bundle: string, flags: readonly string[] = [], env: Record<string, string> = {}): Server => ({
  name: 'yolox-node serve',
  command: (port) => ({
    file: process.execPath,
    args: [CLI, 'serve', bundle, '--port', String(port), ...QUIET, ...flags],
    env,
  }),
  body: 'raw',
  field: 'image',
});

/** Processes, threads of onnxruntime in each, and whether these spin while they wait. */
interface Threads {
  workers: number;
  threads: number;
  spin: boolean;
}

export function fastApi(bundle: string, { workers, threads, spin, pool }: Threads & { pool: number }): Server {
  const flags = { bundle, workers, threads, pool };
  const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
  return {
    name: `FastAPI (${workers} × ${threads} threads, pool of ${pool}${spin ? '' : ', not spinning'})`,
    command: (port) => ({
      file: PYTHON,
      args: [join(PEERS, 'serve_fastapi.py'), ...args, '--port', String(port), ...(spin ? [] : ['--no-spin'])],
    }),
    body: 'raw',
    field: 'image',
  };
}

export function bentoMl(bundle: string, threads: Threads, home: string): Server {
  return {
    name: `BentoML (${threads.workers} × ${threads.threads} threads${threads.spin ? '' : ', not spinning'})`,
    command: (port) => ({
      file: PYTHON,
      args: ['-m', 'bentoml', 'serve', 'serve_bentoml:Yolox', '--port', String(port), '--working-dir', PEERS],
      env: {
        SERVE_BENTOML: JSON.stringify({ bundle, ...threads }),
        BENTOML_HOME: home,
        BENTOML_DO_NOT_TRACK: 'True',
      },
    }),
    body: 'form',
    field: 'images',
  };
}

/** Starts a server and waits for its answer about `image`; undefined, with a word, when there is none. */
export async function startPeer(server: Server, image: string): Promise<RunningServer | undefined> {
  try {
    return await startServer(server, image);
  } catch (error) {
    log(`${server.name} does not start with ${PYTHON}, so it is left out; see bench/README.md. ${error}`);
    return undefined;
  }
}

/** @throws Error with the end of its log when it does not answer */
export async function startServer(server: Server, image: string): Promise<RunningServer> {
  const port = await freePort();
  const { file, args, env } = server.command(port);
  const url = `http://127.0.0.1:${port}/predict`;
  const target = { url, payloads: [await payloadOf(image, server)], timeoutSeconds: START_S };
  const start = performance.now();
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let logEnd = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      logEnd = (logEnd + text).slice(-LOG_LENGTH);
    });
  }
  const failed = once(child, 'error').then(([error]) => Promise.reject(error));
  try {
    await Promise.race([firstAnswer(child, target), failed]);
  } catch (error) {
    await stop(child);
    throw new Error(`${error}\n${logEnd.trim()}`);
  }
  const startMs = performance.now() - start;
  return { name: server.name, server, url, pid: child.pid as number, startMs, stop: () => stop(child) };
}

async function firstAnswer(child: ChildProcess, target: Target): Promise<void> {
  const client = new Client(target, 1);
  try {
    for (const end = performance.now() + START_S * 1000; performance.now() < end; await sleep(ATTEMPT_MS)) {
      if (child.exitCode !== null) throw new Error(`exit code ${child.exitCode}`);
      if ((await client.post()).status === 200) return;
    }
    throw new Error(`no answer for ${START_S} s`);
  } finally {
    await client.close();
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const limit = setTimeout(() => child.kill('SIGKILL'), STOP_S * 1000);
  await exited;
  clearTimeout(limit);
}

/** What a server says about an image; a server that takes batches answers a list. */
export async function ask(running: RunningServer, image: string): Promise<Answer> {
  const answer = (await (await post(running, image)).json()) as Answer | Answer[];
  return Array.isArray(answer) ? answer[0] : answer;
}

export async function post({ url, server }: RunningServer, image: string): Promise<Response> {
  const { data, type } = await payloadOf(image, server);
  return fetch(url, { method: 'POST', body: new Uint8Array(data), headers: { 'content-type': type } });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
