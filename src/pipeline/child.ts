import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { messageOf, UserError } from '../base/errors.js';

/** Seconds a server may take to load its model, and to stop. */
const START_S = 120;
const STOP_S = 20;

/** Characters of a child's log kept for the message when it dies. */
const LOG_LENGTH = 4000;

type Child = ChildProcessByStdio<null, Readable, Readable>;

/** A server that is ready. */
export interface ServerProcess {
  url: string;
  pid: number;
}

/**
 * Runs `use` against a server in a process of its own, started by `yolox serve` with these arguments.
 * `exitCode` is the server's after SIGTERM: 0 when it shut down in order, null when it had to be killed.
 * @throws UserError with the end of the server's log when it does not get ready
 */
export async function withServer<T>(
  args: readonly string[],
  use: (server: ServerProcess) => Promise<T>,
): Promise<{ result: T; exitCode: number | null }> {
  const child = spawnCli(['serve', ...args, '--json']);
  let logEnd = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    logEnd = (logEnd + text).slice(-LOG_LENGTH);
  });
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  try {
    const url = await announcedUrl(child, exited).catch((cause) => {
      const hint = `Its log ends:\n${logEnd.trim()}`;
      throw new UserError(
        { where: 'yolox serve', expected: 'a server that gets ready', received: messageOf(cause), hint },
        { cause },
      );
    });
    const result = await use({ url, pid: child.pid as number });
    return { result, exitCode: await stop(child, exited) };
  } finally {
    child.kill('SIGKILL');
  }
}

/** The command line of this very checkout or package, under the same loader. */
function spawnCli(args: readonly string[]): Child {
  const entry = fileURLToPath(new URL(`../cli${extname(import.meta.filename)}`, import.meta.url));
  return spawn(process.execPath, [...process.execArgv, entry, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** The address in the line the server prints once it is ready. */
async function announcedUrl(child: Child, exited: Promise<number | null>): Promise<string> {
  const lines = createInterface({ input: child.stdout });
  const announced = once(lines, 'line', { signal: AbortSignal.timeout(START_S * 1000) });
  const died = exited.then((code) => {
    throw new Error(`exit code ${code}`);
  });
  const [line] = await Promise.race([announced, died]);
  return (JSON.parse(line) as { url: string }).url;
}

async function stop(child: Child, exited: Promise<number | null>): Promise<number | null> {
  const limit = setTimeout(() => child.kill('SIGKILL'), STOP_S * 1000);
  child.kill('SIGTERM');
  const code = await exited;
  clearTimeout(limit);
  return code;
}
