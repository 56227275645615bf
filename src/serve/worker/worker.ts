import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { UserError } from '../../base/errors.js';
import type { Bundle } from '../../detect/bundle.js';
import type { Provider } from '../../detect/providers.js';
import type { InstanceData, OpenedInstance } from './instance_thread.js';
import type { WorkerOptions } from './worker_options.js';

/** Default maximum batch size: larger batches save nothing on a CPU and cost memory. */
const MAX_BATCH: Record<Provider, number> = { cpu: 4, cuda: 16, tensorrt: 16 };

/** Megabytes of a thread's young objects: small, because they are collected after every batch. */
const YOUNG_MB = 6;

/** How a worker's model was loaded. */
export interface WorkerInfo {
  /** Smaller than asked for when the graph takes no more. */
  maxBatch: number;
  /** What the model runs on. */
  provider: Provider;
}

/**
 * Instances of a bundle's model, each in a thread that does everything for its images and is asked on its own stream, so
 * that nothing stands between it and the service. One more is for images that take long, so that no other waits for them;
 * it loads its model with the first of them. The threads end with their streams.
 */
export class Worker {
  readonly info: WorkerInfo;
  /** Resolves when all threads have ended, each at the end of its stream; rejects when one failed. */
  readonly ended: Promise<void>;

  private constructor(info: WorkerInfo, ended: Promise<void>) {
    this.info = info;
    this.ended = ended;
  }

  /**
   * Loads a bundle once for each stream but the last.
   *
   * @param streams numbers of open sockets; the last is for images that take long
   * @throws UserError for a file that onnxruntime cannot load, another input size, or an unavailable provider
   */
  static async open(bundle: Bundle, options: WorkerOptions, streams: readonly number[]): Promise<Worker> {
    const [long] = streams.slice(-1);
    const short = streams.slice(0, -1);
    const pool = threadsFor({ bundle, options }, short.length);
    // Started last, to hold up no start. On the CPU: another instance costs a GPU memory, and TensorRT minutes.
    const longPool = threadsFor({ bundle, options: { ...options, provider: 'cpu' } }, 1, 0);
    const [first] = await Promise.all(
      short.map(async () => {
        const opened: OpenedInstance = await pool.run(undefined, { name: 'open' });
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
    return new Worker({ maxBatch, provider: first.provider }, ended);
  }
}

/**
 * Threads that wait for work, `started` of them at once. A pool of threads that never return is more than they need, but
 * where sources run uncompiled no loader of Node 20 reaches a plain thread's module.
 */
function threadsFor(workerData: InstanceData, count: number, started = count): Piscina {
  return new Piscina({
    filename: fileURLToPath(new URL(`./instance_thread${extname(import.meta.url)}`, import.meta.url)),
    minThreads: started,
    maxThreads: count,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    workerData,
  });
}
