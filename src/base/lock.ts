import { once } from 'node:events';
import { readFileSync, readlinkSync, rmSync } from 'node:fs';
import { readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { basename, dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeExit } from './ending.js';
import { explainFileError } from './file_errors.js';
import { makeDir, sha256 } from './files.js';

/** Holder of a lock, as recorded in its file. */
export interface LockHolder {
  pid: number;
  host: string;
  /** `yolox-node run`, without its flags, which may contain secrets. */
  command: string;
  /** ISO 8601. */
  since: string;
  /** The kernel and the network namespace, within which a socket shows whether the holder is alive. */
  realm: string;
}

export interface LockOptions {
  /** Called once before waiting for another holder. */
  onWait?(holder: LockHolder | undefined): void;
  /** Milliseconds between heartbeats, which tell other machines that the holder is alive. */
  beatMs?: number;
  /** Milliseconds without a heartbeat after which a holder on another machine counts as dead. */
  staleMs?: number;
}

/** Training may block its thread, and thus the heartbeat, for minutes. */
const BEAT_MS = 15_000;
const STALE_MS = 15 * 60_000;

/** Milliseconds within which a new holder writes its file. */
const NAMED_MS = 200;

/** Milliseconds between checks of a lock on another machine. */
const POLL_MS = 1000;

/**
 * Runs `work` while holding the lock, waiting for other holders first.
 *
 * The lock has two parts. An abstract socket is named by the resolved path of the lock; the kernel frees it however its
 * holder ends, so a machine never keeps a stale lock. The file tells people who holds the lock, and tells machines that
 * share the folder (network drives, containers) whether the holder is alive.
 *
 * @param path file of the lock; its folder is created
 * @throws UserError if the file cannot be written
 */
export async function withLock<T>(path: string, work: () => Promise<T>, options: LockOptions = {}): Promise<T> {
  await makeDir(dirname(path));
  let told = false;
  const tell = async () => {
    if (told) return;
    told = true;
    let holder = await readHolder(path);
    if (!holder) {
      // It holds the socket and is about to write its file.
      await sleep(NAMED_MS);
      holder = await readHolder(path);
    }
    options.onWait?.(holder);
  };
  const socket = await listen(await socketName(path), tell);
  try {
    const release = await takeFile(path, tell, options);
    try {
      return await work();
    } finally {
      await release();
    }
  } finally {
    socket.server.close();
    for (const waiter of socket.waiters) waiter.destroy();
  }
}

/** Describes a holder: `pid 7 on host (yolox-node run), since 2026-…`. */
export function describeHolder(holder: LockHolder | undefined): string {
  if (!holder) return 'another process';
  const { pid, host, command, since } = holder;
  return `pid ${pid} on ${host} (${command}), since ${since}`;
}

/** The same name for every spelling of the path, including links and mounts. */
async function socketName(path: string): Promise<string> {
  const { dev, ino } = await stat(dirname(path), { bigint: true });
  return `\0yolox-${sha256(`${dev}:${ino}:${basename(path)}`)}`;
}

interface Listening {
  server: Server;
  waiters: Set<Socket>;
}

async function listen(name: string, tell: () => Promise<void>): Promise<Listening> {
  for (;;) {
    const waiters = new Set<Socket>();
    const server = createServer((socket) => {
      waiters.add(socket.unref());
      socket.on('error', () => undefined).on('close', () => waiters.delete(socket));
    });
    server.listen(name);
    try {
      await once(server, 'listening');
      server.unref();
      return { server, waiters };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    }
    await tell();
    await ended(name);
  }
}

/** Resolves when the connection to the holder breaks or fails because the holder has ended. */
function ended(name: string): Promise<void> {
  return new Promise((resolve) => {
    connect(name)
      .on('error', () => undefined)
      .on('close', () => resolve());
  });
}

/** Writes the lock's file and keeps it fresh; returns a function that removes it. */
async function takeFile(
  path: string,
  tell: () => Promise<void>,
  { beatMs = BEAT_MS, staleMs = STALE_MS }: LockOptions,
): Promise<() => Promise<void>> {
  while (!(await tryWrite(path))) {
    if (await isAbandoned(path, staleMs)) {
      await rm(path, { force: true });
    } else {
      await tell();
      await sleep(POLL_MS);
    }
  }
  const beat = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined);
  }, beatMs);
  beat.unref();
  const forget = beforeExit(() => rmSync(path, { force: true }));
  return async () => {
    forget();
    clearInterval(beat);
    await rm(path, { force: true });
  };
}

/** Whether the file did not exist and is now ours. */
async function tryWrite(path: string): Promise<boolean> {
  const own: LockHolder = {
    pid: process.pid,
    host: hostname(),
    command: commandName(),
    since: new Date().toISOString(),
    realm: realm(),
  };
  try {
    await writeFile(path, JSON.stringify(own), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw explainFileError(error, path);
  }
}

/**
 * Whether the holder is dead: in our realm because its socket is now ours, elsewhere because its heartbeat has stopped.
 */
async function isAbandoned(path: string, staleMs: number): Promise<boolean> {
  const holder = await readHolder(path);
  if (holder?.realm === realm()) return true;
  const found = await stat(path).catch(() => undefined);
  // The holder of an empty file was killed while writing it.
  return found !== undefined && Date.now() - found.mtimeMs > (holder ? staleMs : POLL_MS);
}

async function readHolder(path: string): Promise<LockHolder | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function commandName(): string {
  const [, , name = ''] = process.argv;
  return /^[a-z-]+$/.test(name) ? `yolox-node ${name}` : 'yolox-node';
}

/** Identifies the processes that see each other's abstract sockets: one boot of one kernel, one network namespace. */
function realm(): string {
  return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/net')}`;
}
