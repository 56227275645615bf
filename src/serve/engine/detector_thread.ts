import { parentPort, workerData } from 'node:worker_threads';
import { type Problem, UserError } from '../../base/errors.js';
import type { Bundle } from '../bundle.js';
import { BlockingStream } from './blocking_stream.js';
import type { PictureLimits } from './decode_upload.js';
import type { Detector, DetectorOptions } from './detector.js';
import { decodeTasks, encodeFailure, encodeOutcomes } from './frames.js';
import { UploadDetector } from './upload_detector.js';

/** What a thread is started with. */
export interface DetectorThreadData {
  bundle: Bundle;
  options: DetectorOptions & PictureLimits;
  /** Number of the stream on which it is asked. */
  stream: number;
}

/** How opening went; a problem is for the user. */
export type Opened = Pick<Detector, 'maxBatch' | 'provider'> | { problem: Problem };

// One detector: answers the batches of its stream, one after the other, until that ends.

const { bundle, options, stream } = workerData as DetectorThreadData;
const model = await open();
if (model) {
  await serve(model, new BlockingStream(stream));
  await model.detector.close();
}

async function open(): Promise<UploadDetector | undefined> {
  try {
    const opened = await UploadDetector.open(bundle, options);
    const { maxBatch, provider } = opened.detector;
    tell({ maxBatch, provider });
    return opened;
  } catch (error) {
    // An error loses its class on the way between threads.
    if (!(error instanceof UserError)) throw error;
    tell({ problem: error.problem });
    return undefined;
  }
}

function tell(message: Opened): void {
  parentPort?.postMessage(message);
}

async function serve(model: UploadDetector, stream: BlockingStream): Promise<void> {
  for (let frame = stream.read(); frame; frame = stream.read()) {
    const answer = await model.detectBatch(decodeTasks(frame)).then(encodeOutcomes, (error: unknown) => {
      return encodeFailure(error instanceof Error ? (error.stack ?? error.message) : String(error));
    });
    stream.write(answer);
  }
}
