import { constants } from 'node:os';

/** Signals that ask a program to stop. SIGHUP keeps its default, otherwise `nohup` would not work. */
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

const endings = new Set<() => void>();

/**
 * Runs `end` before this process exits: normally, by `process.exit`, an uncaught error or Ctrl-C, but not by SIGKILL.
 * `end` must be synchronous. Returns a function that unregisters it.
 */
export function beforeExit(end: () => void): () => void {
  if (endings.size === 0) process.on('exit', runEndings);
  endings.add(end);
  return () => {
    endings.delete(end);
    if (endings.size === 0) process.off('exit', runEndings);
  };
}

function runEndings(): void {
  for (const end of endings) {
    try {
      end();
    } catch {
      // The others must still run.
    }
  }
}

/**
 * Exits with 128 + the signal's number, as shells do, unless the command has its own listener. By default, Node exits
 * without running the functions registered with `beforeExit`.
 */
export function exitOnSignals(): void {
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(128 + constants.signals[signal]);
    });
  }
}

/** Exits quietly, as SIGPIPE would, when the reader of its output has gone: `yolox-node doctor | head -1`. */
export function exitWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(128 + constants.signals.SIGPIPE);
  });
}

/** Runs `work`, then always `end`. The first error wins: an error of `end` is thrown only if `work` succeeded. */
export async function withEnd<T>(work: () => Promise<T>, end: () => unknown): Promise<T> {
  let result: T;
  try {
    result = await work();
  } catch (error) {
    try {
      await end();
    } catch {
      // Later errors are consequences of the first.
    }
    throw error;
  }
  await end();
  return result;
}
