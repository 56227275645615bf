import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { beforeExit } from '../../base/ending.js';
import { UserError } from '../../base/errors.js';

/** Seconds a server may take to load its model, and to stop. */
const START_S = 120;
const STOP_S = 20;

/** Characters of a child's log kept for the message when it dies. */
const LOG_LENGTH = 4000;

type Child = ChildProcess & { stdout: Readable; stderr: Readable };

/** How a process ended; code 0 means properly. */
interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Whether we killed it because it did not stop. */
  forced?: boolean;
}

/** A server that is ready. */
export interface ServerProcess {
  url: string;
  pid: number;
}

/**
 * Runs `use` with a server in a separate process, started by `yolox-node serve` with these arguments. The server ends
 * with this process, however that ends. `exitCode` is that of the server after SIGTERM: 0 after an orderly shutdown,
 * null if it had to be killed.
 * @throws UserError with the end of the server's log if it does not become ready, or dies before it is stopped
 */
export async function withServer<T>(
  args: readonly string[],
  use: (server: ServerProcess) => Promise<T>,
): Promise<{ result: T; exitCode: number | null }> {
  const child = spawnCli(['serve', ...args, '--json']);
  const forget = beforeExit(() => child.kill('SIGKILL'));
  let logEnd = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    logEnd = (logEnd + text).slice(-LOG_LENGTH);
  });
  const exited = endingOf(child);
  const died = (expected: string, ending: Ending, cause?: unknown) =>
    new UserError(
      {
        where: 'yolox-node serve',
        expected,
        received: describeEnding(ending),
        hint: `Its log ends:\n${logEnd.trim()}`,
      },
      { cause },
    );
  try {
    const url = await announcedUrl(child, exited).catch((cause) => {
      if (!(cause instanceof Died)) throw cause;
      throw died('a server that becomes ready', cause.ending, cause);
    });
    try {
      const result = await use({ url, pid: child.pid as number });
      const ending = await stop(child, exited);
      return { result, exitCode: ending.code };
    } catch (cause) {
      // If the server has died, that is the reason for missing answers; otherwise it stops properly.
      const ending = await stop(child, exited);
      throw ending.code === 0 || ending.forced
        ? cause
        : died('a server that answers until it is stopped', ending, cause);
    }
  } finally {
    child.kill('SIGKILL');
    forget();
  }
}

/** Starts the command line of this checkout or package with the same loader; the IPC channel tells it when we exit. */
function spawnCli(args: readonly string[]): Child {
  const entry = fileURLToPath(new URL(`../../cli/index${extname(import.meta.filename)}`, import.meta.url));
  return spawn(process.execPath, [...process.execArgv, entry, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  }) as Child;
}

async function endingOf(child: Child): Promise<Ending> {
  const [code, signal] = await once(child, 'exit');
  return { code, signal };
}

const describeEnding = ({ code, signal }: Ending): string => (signal ? `killed by ${signal}` : `exit code ${code}`);

/** The server ended before it was ready. */
class Died extends Error {
  readonly ending: Ending;

  constructor(ending: Ending) {
    super(describeEnding(ending));
    this.ending = ending;
  }
}

/** The address in the line the server prints once it is ready. */
async function announcedUrl(child: Child, exited: Promise<Ending>): Promise<string> {
  const lines = createInterface({ input: child.stdout });
  const announced = once(lines, 'line', { signal: AbortSignal.timeout(START_S * 1000) }).catch((cause) => {
    const received = `no answer in ${START_S} s`;
    throw new UserError({ where: 'yolox-node serve', expected: 'a server that becomes ready', received }, { cause });
  });
  const died = exited.then((ending) => {
    throw new Died(ending);
  });
  const [line] = await Promise.race([announced, died]);
  const { url } = JSON.parse(line) as { url?: string };
  // Without an address, the line is an error and the process exits.
  return url ?? died;
}

async function stop(child: Child, exited: Promise<Ending>): Promise<Ending> {
  let forced = false;
  const limit = setTimeout(() => {
    forced = child.kill('SIGKILL');
  }, STOP_S * 1000);
  child.kill('SIGTERM');
  const ending = await exited;
  clearTimeout(limit);
  return { ...ending, forced };
}
