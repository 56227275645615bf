import type { Duplex } from 'node:stream';
import type { BatchResult, DetectRequest } from '../detect_request.js';
import { decodeResult, encodeRequests, FrameReader } from './frames.js';

/** A channel to one instance of the model in a worker, which takes one batch at a time. */
export interface WorkerChannel {
  /** @throws ChannelClosed when the worker has died, BatchFailed when the instance could not do it */
  run(requests: readonly DetectRequest[]): Promise<BatchResult>;
}

/** The channels to the instances of a worker. */
export interface WorkerChannels {
  channels: readonly WorkerChannel[];
  /** To the instance for images that take long. */
  long: WorkerChannel;
}

/** The worker behind a channel has died. */
export class ChannelClosed extends Error {}

/** A channel over a stream: a socket that the worker inherits. */
export class StreamChannel implements WorkerChannel {
  readonly #stream: Duplex;
  readonly #reader = new FrameReader();
  #waiting?: { resolve: (result: BatchResult) => void; reject: (reason: unknown) => void };

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on('data', (piece: Buffer) => this.#read(piece));
    // What is wrong with a stream whose process has died does not matter.
    stream.on('error', () => {}).on('close', () => this.#close());
  }

  run(requests: readonly DetectRequest[]): Promise<BatchResult> {
    if (this.#stream.destroyed) return Promise.reject(new ChannelClosed());
    this.#stream.cork();
    for (const piece of encodeRequests(requests)) this.#stream.write(piece);
    this.#stream.uncork();
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  /** Ends the instance after the batch in hand. */
  end(): void {
    this.#stream.end();
  }

  #read(piece: Buffer): void {
    const frame = this.#reader.add(piece);
    if (frame === undefined) return;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    try {
      waiting?.resolve(decodeResult(frame));
    } catch (error) {
      waiting?.reject(error);
    }
  }

  #close(): void {
    this.#waiting?.reject(new ChannelClosed());
    this.#waiting = undefined;
  }
}
