import { setImmediate } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';
import { type Problem, UserError } from '../../base/errors.js';
import type { Bundle } from '../bundle.js';
import { BlockingStream } from './blocking_stream.js';
import { collectAll, collectYoung } from './collect.js';
import type { PictureLimits } from './decode_upload.js';
import type { Detector, DetectorOptions } from './detector.js';
import { decodeTasks, encodeFailure, encodeOutcomes } from './frames.js';
import { UploadDetector } from './upload_detector.js';

/** What a thread is started with. */
export interface DetectorThreadData {
  bundle: Bundle;
  options: DetectorOptions & PictureLimits;
}

/** How opening went; a problem is for the user. */
export type Opened = Pick<Detector, 'maxBatch' | 'provider'> | { problem: Problem };

const { bundle, options } = workerData as DetectorThreadData;
const opened = UploadDetector.open(bundle, options);
// A failure is that of who asks; until somebody does it must not end the thread.
opened.catch(() => {});

export async function open(): Promise<Opened> {
  try {
    const { maxBatch, provider } = (await opened).detector;
    collectAll();
    return { maxBatch, provider };
  } catch (error) {
    // An error loses its class on the way between threads.
    if (error instanceof UserError) return { problem: error.problem };
    throw error;
  }
}

/** Answers the batches of a stream, one after the other, until that ends. */
export default async function serve(file: number): Promise<void> {
  const model = await opened;
  const stream = new BlockingStream(file);
  for (let frame = stream.read(); frame; frame = stream.read()) {
    const answer = await model.detectBatch(decodeTasks(frame)).then(encodeOutcomes, (error: unknown) => {
      return encodeFailure(error instanceof Error ? (error.stack ?? error.message) : String(error));
    });
    stream.write(answer);
    collectYoung();
    // What hangs on the collected objects is freed by a task of its own.
    await setImmediate();
  }
  await model.detector.close();
}
