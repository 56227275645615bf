import type { Duplex } from 'node:stream';
import { decodeOutcomes, encodeTasks, FrameReader, type SentTask } from './frames.js';
import type { BatchOutcomes } from './upload_detector.js';

/** The way to one detector, which looks at one batch at a time. */
export interface Lane {
  /** @throws LaneClosed when its process has died, BatchFailed when the detector could not do it */
  run(tasks: readonly SentTask[]): Promise<BatchOutcomes>;
}

/** The process of a detector has died. */
export class LaneClosed extends Error {}

/** The stream to a detector's thread. */
export class StreamLane implements Lane {
  readonly #stream: Duplex;
  readonly #reader = new FrameReader();
  #waiting?: { resolve: (outcomes: BatchOutcomes) => void; reject: (reason: unknown) => void };

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on('data', (piece: Buffer) => this.#read(piece));
    // What is wrong with a stream whose process has died does not matter.
    stream.on('error', () => {}).on('close', () => this.#close());
  }

  run(tasks: readonly SentTask[]): Promise<BatchOutcomes> {
    if (this.#stream.destroyed) return Promise.reject(new LaneClosed());
    this.#stream.cork();
    for (const piece of encodeTasks(tasks)) this.#stream.write(piece);
    this.#stream.uncork();
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  /** The detector ends after the batch in hand. */
  end(): void {
    this.#stream.end();
  }

  #read(piece: Buffer): void {
    const frame = this.#reader.add(piece);
    if (frame === undefined) return;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    try {
      waiting?.resolve(decodeOutcomes(frame));
    } catch (error) {
      waiting?.reject(error);
    }
  }

  #close(): void {
    this.#waiting?.reject(new LaneClosed());
    this.#waiting = undefined;
  }
}
