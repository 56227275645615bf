import { type ChildProcess, fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeExit } from '../base/ending.js';
import type { Problem } from '../base/errors.js';
import type { ImageFile, LibraryHeader } from './decode_here.js';
import type { Image } from './image.js';

/** Milliseconds a process may take to start, on a busy machine. */
const START_MS = 60_000;

/** Longest wait, whatever the limit. */
const LONGEST_MS = 600_000;

/** Tasks of `decode_here.ts` that can run in a separate process. */
export type ApartTask =
  | { work: 'header'; file: ImageFile }
  | { work: 'decode'; file: ImageFile; header: LibraryHeader; fit?: readonly [number, number] }
  | { work: 'check'; file: ImageFile };

/** Results of the tasks. */
export interface ApartResults {
  header: LibraryHeader;
  decode: Image;
  check: undefined;
}

/** Outcome of a task; a failure carries the message of the library, which was decoding nothing else. */
export type ApartReply = { result: ApartResults[keyof ApartResults] } | { problem: Problem } | { failed: string };

/** The process was ended because it exceeded the time limit. */
export class TookTooLong extends Error {}

/** The process died while running the task. */
export class DecoderDied extends Error {}

let child: ChildProcess | undefined;
let last: Promise<unknown> = Promise.resolve();

/**
 * Runs a task in a separate process, which can be ended, unlike library code in this one. Tasks run one after another,
 * so that errors belong to the right image and only one large image is in memory. The process starts with the first
 * task and ends when idle.
 * @param timeout milliseconds for decoding, not counting the start of the process and earlier tasks
 * @throws TookTooLong, DecoderDied
 */
export function decodeApart(task: ApartTask, timeout: number): Promise<ApartReply> {
  const reply = last.then(() => askFresh(task, timeout));
  last = reply.catch(() => {});
  return reply;
}

/** An idle process may end just as it receives the task; then a new one is started. */
async function askFresh(task: ApartTask, timeout: number): Promise<ApartReply> {
  if (child) {
    try {
      return await ask(child, task, timeout);
    } catch (error) {
      if (!(error instanceof DecoderDied)) throw error;
    }
  }
  return ask(await start(), task, timeout);
}

async function start(): Promise<ChildProcess> {
  const entry = fileURLToPath(new URL(`./decode_child${extname(import.meta.url)}`, import.meta.url));
  const started = fork(entry, { stdio: ['ignore', 'ignore', 2, 'ipc'], serialization: 'advanced' });
  // In the middle of an image, the child would not notice that we have exited.
  const forget = beforeExit(() => started.kill('SIGKILL'));
  started.once('exit', () => {
    forget();
    if (child === started) child = undefined;
  });
  await nextMessage(started, START_MS).catch((cause) => {
    // Not the image's fault.
    throw new Error('The process that decodes large images does not start.', { cause });
  });
  child = started;
  hold(started, false);
  return started;
}

async function ask(process: ChildProcess, task: ApartTask, timeout: number): Promise<ApartReply> {
  hold(process, true);
  const reply = nextMessage(process, timeout);
  // If it has just ended, the reply says so.
  process.send(task, () => {});
  try {
    return (await reply) as ApartReply;
  } finally {
    hold(process, false);
  }
}

/** Returns the next message of a process, and kills it if none arrives in time. */
function nextMessage(process: ChildProcess, timeout: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      clearTimeout(timer);
      process.off('message', answered).off('exit', died).off('error', died);
      settle();
    };
    const answered = (message: unknown) => end(() => resolve(message));
    const died = () => {
      if (child === process) child = undefined;
      end(() => reject(new DecoderDied('The process that decodes has died.')));
    };
    const timer = setTimeout(
      () => {
        if (child === process) child = undefined;
        process.kill('SIGKILL');
        end(() => reject(new TookTooLong(`It took longer than ${timeout} ms.`)));
      },
      Math.min(timeout, LONGEST_MS),
    );
    process.on('message', answered).on('exit', died).on('error', died);
    if (process.exitCode !== null || process.signalCode !== null) died();
  });
}

/** Sets whether this process waits for the child before it exits. */
function hold(process: ChildProcess, held: boolean): void {
  if (held) {
    process.ref();
    process.channel?.ref();
  } else {
    process.unref();
    process.channel?.unref();
  }
}
