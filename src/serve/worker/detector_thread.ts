import { setImmediate } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';
import { type Problem, UserError } from '../../base/errors.js';
import type { Bundle } from '../../detect/bundle.js';
import type { Detector, DetectorOptions } from '../../detect/onnx_detector.js';
import { BlockingStream } from './blocking_stream.js';
import { collectAll, collectYoung } from './collect.js';
import type { ImageLimits } from './decode_upload.js';
import { decodeTasks, encodeFailure, encodeOutcomes, type Frame } from './frames.js';
import { UploadDetector } from './upload_detector.js';

/** What a thread is started with. */
export interface DetectorThreadData {
  bundle: Bundle;
  options: DetectorOptions & ImageLimits;
}

/** How opening went; a problem is for the user. */
export type Opened = Pick<Detector, 'maxBatch' | 'provider'> | { problem: Problem };

const { bundle, options } = workerData as DetectorThreadData;
let opened: Promise<UploadDetector> | undefined;

/** The model, loaded when it is wanted first; a failure is that of who asks, and the next tries again. */
function model(): Promise<UploadDetector> {
  opened ??= UploadDetector.open(bundle, options).catch((error) => {
    opened = undefined;
    throw error;
  });
  return opened;
}

export async function open(): Promise<Opened> {
  try {
    const { maxBatch, provider } = (await model()).detector;
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
  const stream = new BlockingStream(file);
  for (let frame = stream.read(); frame; frame = stream.read()) {
    stream.write(await answer(frame));
    collectYoung();
    // What hangs on the collected objects is freed by a task of its own.
    await setImmediate();
  }
  await (await opened)?.detector.close();
}

async function answer(frame: Frame): Promise<Uint8Array[]> {
  try {
    return encodeOutcomes(await (await model()).detectBatch(decodeTasks(frame)));
  } catch (error) {
    return encodeFailure(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
}
