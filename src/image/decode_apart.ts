import { type ChildProcess, fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeExit } from '../base/ending.js';
import type { Problem } from '../base/errors.js';
import type { ImageFile, LibraryHeader } from './decode_here.js';
import type { Image } from './image.js';

/** Milliseconds a process may take to start, on a busy machine. */
const START_MS = 60_000;

/** What is waited at most, whatever the limit. */
const LONGEST_MS = 600_000;

/** Work of `decode_here.ts` that is done in a process of its own. */
export type ApartTask =
  | { work: 'header'; file: ImageFile }
  | { work: 'decode'; file: ImageFile; header: LibraryHeader; fit?: readonly [number, number] }
  | { work: 'check'; file: ImageFile };

/** What it gives. */
export interface ApartResults {
  header: LibraryHeader;
  decode: Image;
  check: undefined;
}

/** How a task ended: a failure is in the words of the library, which had nothing else in hand. */
export type ApartReply = { result: ApartResults[keyof ApartResults] } | { problem: Problem } | { failed: string };

/** The process was ended as it took longer than allowed. */
export class TookTooLong extends Error {}

/** The process died of the task. */
export class DecoderDied extends Error {}

let child: ChildProcess | undefined;
let last: Promise<unknown> = Promise.resolve();

/**
 * Does a task in a process that can be ended, which a library's code in this one cannot be: one after the other, so that
 * what a library says belongs to this image, and so that only one large image is in memory. The process starts with the
 * first task, and ends when it has had nothing to do for a while.
 * @param timeout milliseconds of decoding, without the start of the process and the tasks before
 * @throws TookTooLong, DecoderDied
 */
export function decodeApart(task: ApartTask, timeout: number): Promise<ApartReply> {
  const reply = last.then(() => askFresh(task, timeout));
  last = reply.catch(() => {});
  return reply;
}

/** A process that was idle may have ended as it was asked: then another one is. */
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
  // In the middle of an image it would not hear that we have ended.
  const forget = beforeExit(() => started.kill('SIGKILL'));
  started.once('exit', () => {
    forget();
    if (child === started) child = undefined;
  });
  await nextMessage(started, START_MS).catch((cause) => {
    // No fault of the image's.
    throw new Error('The process that decodes large images does not start.', { cause });
  });
  child = started;
  hold(started, false);
  return started;
}

async function ask(process: ChildProcess, task: ApartTask, timeout: number): Promise<ApartReply> {
  hold(process, true);
  const reply = nextMessage(process, timeout);
  // Where it has just ended, that is told by the reply.
  process.send(task, () => {});
  try {
    return (await reply) as ApartReply;
  } finally {
    hold(process, false);
  }
}

/** The next message of a process, which is killed when none comes in time. */
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

/** Whether this process waits for that one before it ends. */
function hold(process: ChildProcess, held: boolean): void {
  if (held) {
    process.ref();
    process.channel?.ref();
  } else {
    process.unref();
    process.channel?.unref();
  }
}
