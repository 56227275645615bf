import { once } from 'node:events';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { UserError } from '../../base/errors.js';
import type { Bundle } from '../bundle.js';
import type { PictureLimits } from './decode_upload.js';
import type { DetectorThreadData, Opened } from './detector_thread.js';
import type { Provider, ProviderChoice } from './providers.js';

/** Pictures in a batch at most, when nobody says: more save nothing on a CPU, and cost memory. */
const MAX_BATCH: Record<Provider, number> = { cpu: 4, cuda: 16, tensorrt: 16 };

export interface EngineOptions extends PictureLimits {
  /** Threads of each session; 0 lets onnxruntime choose. */
  threads: number;
  /** Batches that run at once. */
  sessions: number;
  /** Most pictures in a batch; when absent it depends on what the model runs on. */
  maxBatch?: number;
  /** What the model is to run on. */
  provider?: ProviderChoice;
}

/** What an engine came out as. */
export interface EngineInfo {
  /** Smaller than asked for when the graph takes no more. */
  maxBatch: number;
  /** What the model runs on. */
  provider: Provider;
}

/**
 * Detectors of a bundle, each in a thread of its own that does all for its pictures and is asked on its own stream:
 * nothing stands between it and the service. They end with their streams.
 */
export class Engine {
  readonly info: EngineInfo;
  /** Resolves when all threads have ended, each at the end of its stream; rejects when one failed. */
  readonly ended: Promise<void>;

  private constructor(info: EngineInfo, ended: Promise<void>) {
    this.info = info;
    this.ended = ended;
  }

  /**
   * Loads a bundle once for each stream.
   * @param streams numbers of open sockets
   * @throws UserError for a file onnxruntime cannot load, or of another input size, or a provider that is not there
   */
  static async open(bundle: Bundle, options: EngineOptions, streams: readonly number[]): Promise<Engine> {
    const { threads, provider, maxPixels, maxSide } = options;
    const workers = streams.map((stream) =>
      startThread({ bundle, stream, options: { threads, provider, maxPixels, maxSide } }),
    );
    const ended = Promise.all(workers.map(({ ended }) => ended)).then(() => {});
    ended.catch(() => {});
    const [first] = await Promise.all(workers.map(({ opened }) => opened));
    const maxBatch = Math.min(options.maxBatch ?? MAX_BATCH[first.provider], first.maxBatch);
    return new Engine({ ...first, maxBatch }, ended);
  }
}

function startThread(workerData: DetectorThreadData) {
  const entry = fileURLToPath(new URL(`./detector_thread${extname(import.meta.url)}`, import.meta.url));
  const worker = new Worker(entry, { workerData });
  // Rejects with the error of a thread that fails.
  const ended = once(worker, 'exit').then(() => {});
  ended.catch(() => {});
  const opened = Promise.race([
    once(worker, 'message').then(([message]: Opened[]) => {
      if ('problem' in message) throw new UserError(message.problem);
      return message;
    }),
    ended.then((): never => {
      throw new Error('A thread of the model ended before it was open.');
    }),
  ]);
  return { opened, ended };
}
