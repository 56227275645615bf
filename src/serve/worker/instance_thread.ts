import { setImmediate } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';
import { type Problem, UserError } from '../../base/errors.js';
import type { Bundle } from '../../detect/bundle.js';
import { OnnxDetector } from '../../detect/onnx_detector.js';
import type { Provider } from '../../detect/providers.js';
import { BlockingStream } from './blocking_stream.js';
import { detectBatch } from './detect_batch.js';
import { decodeRequests, encodeFailure, encodeResult, type Frame } from './frames.js';
import type { WorkerOptions } from './worker_options.js';

/** What a thread is started with. */
export interface InstanceData {
  bundle: Bundle;
  options: WorkerOptions;
}

/** How loading the model went; a problem is for the user. */
export type OpenedInstance = { maxBatch: number; provider: Provider } | { problem: Problem };

const { bundle, options } = workerData as InstanceData;
let opened: Promise<OnnxDetector> | undefined;

// One instance of the model: a thread that answers the batches of one stream and ends with it.

/** The detector, loaded when it is first wanted. A failure belongs to the batch that wanted it; the next tries again. */
function detector(): Promise<OnnxDetector> {
  opened ??= OnnxDetector.open(bundle, options).catch((error) => {
    opened = undefined;
    throw error;
  });
  return opened;
}

export async function open(): Promise<OpenedInstance> {
  try {
    const { maxBatch, provider } = await detector();
    // Opening leaves the bytes of the model's file, as much again as its weights.
    globalThis.gc?.({ type: 'major' });
    return { maxBatch, provider };
  } catch (error) {
    // An error loses its class on the way between threads.
    if (error instanceof UserError) return { problem: error.problem };
    throw error;
  }
}

/** Answers the batches of a stream, one after the other, until it ends. */
export default async function serve(socket: number): Promise<void> {
  const stream = new BlockingStream(socket);
  for (let frame = stream.read(); frame; frame = stream.read()) {
    stream.write(await answer(frame));
    // Megabytes outside V8's heap hang on a few small, young objects, whose weight it feels late: uncollected they make up
    // 60 MB a thread, and each image lands in memory no cache knows. Takes 0.3 ms.
    globalThis.gc?.({ type: 'minor' });
    // What hangs on the collected objects is freed by a task of its own.
    await setImmediate();
  }
  await (await opened)?.close();
}

async function answer(frame: Frame): Promise<Uint8Array[]> {
  try {
    return encodeResult(await detectBatch(await detector(), decodeRequests(frame), options));
  } catch (error) {
    return encodeFailure(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
}
