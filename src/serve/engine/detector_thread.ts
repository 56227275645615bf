import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { UserError } from '../../base/errors.js';
import type { Bundle } from '../bundle.js';
import type { BatchDetections, DetectorOptions, DetectorTask } from './detector.js';
import type { DetectorWorkerData, Opened } from './detector_worker.js';

/**
 * A bundle's detector in a thread of its own, so that letterbox, inference and post-processing leave the event loop
 * free. A thread that dies fails the batch in hand and is replaced.
 */
export class DetectorThread {
  readonly #pool: Piscina<DetectorTask[]>;

  constructor(bundle: Bundle, options: DetectorOptions) {
    this.#pool = new Piscina({
      filename: fileURLToPath(new URL(`./detector_worker${extname(import.meta.url)}`, import.meta.url)),
      minThreads: 1,
      maxThreads: 1,
      workerData: { bundle, options } satisfies DetectorWorkerData,
    });
  }

  /** Threads alive, for whoever wants to look at or end one. */
  get threads() {
    return this.#pool.threads;
  }

  /**
   * Waits for the model, and tells how many pictures it takes at once.
   * @throws UserError for a file onnxruntime cannot load, or of another input size.
   */
  async maxBatch(): Promise<number> {
    const opened: Opened = await this.#pool.run([], { name: 'open' });
    if ('problem' in opened) throw new UserError(opened.problem);
    return opened.maxBatch;
  }

  detectBatch(tasks: DetectorTask[]): Promise<BatchDetections> {
    return this.#pool.run(tasks);
  }

  async close(): Promise<void> {
    await this.#pool.run([], { name: 'close' }).catch(() => {});
    await this.#pool.destroy();
  }
}
