import { constants } from 'node:os';

/** Signals that ask a program to end; SIGHUP keeps its default, or `nohup` would stop working. */
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

const endings = new Set<() => void>();

/**
 * Runs `end` before this process ends: at the end of its work, by `process.exit`, an uncaught error or Ctrl-C, but not
 * by SIGKILL. It must finish at once, without waiting for anything. Returns a function that takes it back.
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
 * Ends the process with 128 + the signal's number, as a shell counts it, unless the command has a listener of its own:
 * by default Node ends without running what `beforeExit` was given.
 */
export function exitOnSignals(): void {
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(128 + constants.signals[signal]);
    });
  }
}

/** Ends the process quietly, as SIGPIPE would, when what reads its output has gone: `yolox-node doctor | head -1`. */
export function exitWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(128 + constants.signals.SIGPIPE);
  });
}

/**
 * Runs `work`, then `end` whatever came of it. The first error wins: one of `end` is thrown only where `work` succeeded.
 */
export async function withEnd<T>(work: () => Promise<T>, end: () => unknown): Promise<T> {
  let result: T;
  try {
    result = await work();
  } catch (error) {
    try {
      await end();
    } catch {
      // What went wrong afterwards is a consequence.
    }
    throw error;
  }
  await end();
  return result;
}
