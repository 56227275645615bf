import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { UserError } from '../../base/errors.js';
import type { Bundle } from '../../detect/bundle.js';
import type { Provider, ProviderChoice } from '../../detect/providers.js';
import type { ImageLimits } from './decode_upload.js';
import type { DetectorThreadData, Opened } from './detector_thread.js';

/** Images in a batch at most, when nobody says: more save nothing on a CPU, and cost memory. */
const MAX_BATCH: Record<Provider, number> = { cpu: 4, cuda: 16, tensorrt: 16 };

/** Megabytes of a thread's young objects: little, for they are collected after every batch. */
const YOUNG_MB = 6;

export interface EngineOptions extends ImageLimits {
  /** Threads of each instance; 0 lets onnxruntime choose. */
  threads: number;
  /** Batches that run at once. */
  instances: number;
  /** Most images in a batch; when absent it depends on what the model runs on. */
  maxBatch?: number;
  /** What the model is to run on. */
  provider?: ProviderChoice;
}

/** What its process is told; it has an instance for each of its streams but the last. */
export type OpenOptions = Omit<EngineOptions, 'instances'>;

/** What an engine came out as. */
export interface EngineInfo {
  /** Smaller than asked for when the graph takes no more. */
  maxBatch: number;
  /** What the model runs on. */
  provider: Provider;
}

/**
 * Detectors of a bundle, each in a thread of its own that does all for its images and is asked on its own stream:
 * nothing stands between it and the service. One more is for images that take long, so that they keep no other waiting;
 * it loads its model with the first of them. They end with their streams.
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
   * Loads a bundle once for each stream but the last.
   * @param streams numbers of open sockets; the last is for long images
   * @throws UserError for a file onnxruntime cannot load, or of another input size, or a provider that is not there
   */
  static async open(bundle: Bundle, options: OpenOptions, streams: readonly number[]): Promise<Engine> {
    const { threads, provider, maxPixels, maxSide, decodeTimeout } = options;
    const limits = { threads, maxPixels, maxSide, decodeTimeout };
    const [long] = streams.slice(-1);
    const short = streams.slice(0, -1);
    const pool = threadsOf(short.length, { bundle, options: { ...limits, provider } });
    // Started last, to hold up no start. On the CPU: another instance costs a GPU memory, and TensorRT minutes.
    const longPool = threadsOf(1, { bundle, options: { ...limits, provider: 'cpu' } }, 0);
    const [first] = await Promise.all(
      short.map(async () => {
        const opened: Opened = await pool.run(undefined, { name: 'open' });
        if ('problem' in opened) throw new UserError(opened.problem);
        return opened;
      }),
    );
    // Each keeps one thread busy to the end.
    const ended = Promise.all([...short.map((stream) => pool.run(stream)), longPool.run(long)]).then(() =>
      Promise.all([pool.destroy(), longPool.destroy()]).then(() => {}),
    );
    ended.catch(() => {});
    const maxBatch = Math.min(options.maxBatch ?? MAX_BATCH[first.provider], first.maxBatch);
    return new Engine({ ...first, maxBatch }, ended);
  }
}

/** Threads that do nothing yet, of which so many are started now. */
function threadsOf(count: number, workerData: DetectorThreadData, least = count): Piscina {
  return new Piscina({
    filename: fileURLToPath(new URL(`./detector_thread${extname(import.meta.url)}`, import.meta.url)),
    minThreads: least,
    maxThreads: count,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    workerData,
  });
}
