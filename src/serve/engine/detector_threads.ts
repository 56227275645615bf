import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { UserError } from '../../base/errors.js';
import type { Bundle } from '../bundle.js';
import type { DetectorWorkerData, Opened } from './detector_worker.js';
import type { BatchOutcomes, UploadTask } from './upload_detector.js';

/**
 * Detectors of a bundle, each in a thread of its own that does all for its pictures, so that the event loop stays free
 * and nothing larger than a file goes from thread to thread. A thread that dies fails the batch in hand and is replaced.
 */
export class DetectorThreads {
  readonly #pool: Piscina<UploadTask[]>;
  readonly #sessions: number;

  constructor(bundle: Bundle, { sessions, ...options }: DetectorWorkerData['options'] & { sessions: number }) {
    this.#sessions = sessions;
    this.#pool = new Piscina({
      filename: fileURLToPath(new URL(`./detector_worker${extname(import.meta.url)}`, import.meta.url)),
      minThreads: sessions,
      maxThreads: sessions,
      // A thread that waits by Atomics puts off freeing the pictures it has looked at, and takes more time over a batch.
      atomics: 'disabled',
      workerData: { bundle, options } satisfies DetectorWorkerData,
    });
  }

  /** Threads alive, for whoever wants to look at or end one. */
  get threads() {
    return this.#pool.threads;
  }

  /**
   * Waits for every session.
   * @throws UserError for a file onnxruntime cannot load, or of another input size.
   */
  async opened(): Promise<Exclude<Opened, { problem: unknown }>> {
    const [first] = await Promise.all(
      Array.from({ length: this.#sessions }, async () => {
        const opened: Opened = await this.#pool.run([], { name: 'open' });
        if ('problem' in opened) throw new UserError(opened.problem);
        return opened;
      }),
    );
    return first;
  }

  /** Runs a batch on a thread that is free. */
  detectBatch(tasks: UploadTask[]): Promise<BatchOutcomes> {
    // A view is sent with all the memory it looks into, and the task must outlive a thread that dies.
    const sent = tasks.map((task) => ({ ...task, bytes: Uint8Array.from(task.bytes) }));
    return this.#pool.run(sent, { transferList: sent.map(({ bytes }) => bytes.buffer) });
  }

  async close(): Promise<void> {
    const close = () => this.#pool.run([], { name: 'close' });
    await Promise.allSettled(Array.from({ length: this.#sessions }, close));
    await this.#pool.destroy();
  }
}
