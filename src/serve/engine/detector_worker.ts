import { workerData } from 'node:worker_threads';
import { type Problem, UserError } from '../../base/errors.js';
import type { Bundle } from '../bundle.js';
import type { PictureLimits } from './decode_upload.js';
import type { Detector, DetectorOptions } from './detector.js';
import { type BatchOutcomes, UploadDetector, type UploadTask } from './upload_detector.js';

/** What a thread is started with. */
export interface DetectorWorkerData {
  bundle: Bundle;
  options: DetectorOptions & PictureLimits;
}

/** How opening went; a problem is for the user. */
export type Opened = Pick<Detector, 'maxBatch' | 'provider'> | { problem: Problem };

const { bundle, options } = workerData as DetectorWorkerData;
const opened = UploadDetector.open(bundle, options);
// A failure is that of every batch; until one comes it must not end the thread.
opened.catch(() => {});

export default async function detectBatch(tasks: UploadTask[]): Promise<BatchOutcomes> {
  return (await opened).detectBatch(tasks);
}

export async function open(): Promise<Opened> {
  try {
    const { maxBatch, provider } = (await opened).detector;
    return { maxBatch, provider };
  } catch (error) {
    // An error loses its class on the way between threads.
    if (error instanceof UserError) return { problem: error.problem };
    throw error;
  }
}

/** Frees the model; no batch may follow. */
export async function close(): Promise<void> {
  await (await opened).detector.close();
}
