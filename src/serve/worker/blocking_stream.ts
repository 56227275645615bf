import { readSync, writeSync } from 'node:fs';
import { type Frame, LENGTHS_BYTES, readLengths } from './frames.js';

/** Room that is kept from frame to frame; a larger frame gets its own. Fresh memory costs more than what it holds. */
const KEPT_BYTES = 4 * 2 ** 20;

/** One end of a stream of frames for a thread that has nothing to do but wait for the next: nothing wakes in between. */
export class BlockingStream {
  readonly #file: number;
  readonly #lengths = new Uint8Array(LENGTHS_BYTES);
  #kept = new Uint8Array(0);

  /** @param file number of an open file or socket that blocks */
  constructor(file: number) {
    this.#file = file;
  }

  /** The next frame, which holds until the one after it is read; undefined at the end. */
  read(): Frame | undefined {
    if (!this.#fill(this.#lengths)) return undefined;
    const [text, bytes] = readLengths(this.#lengths);
    const all = this.#room(text + bytes);
    if (!this.#fill(all)) return undefined;
    return { text: all.subarray(0, text), bytes: all.subarray(text) };
  }

  write(pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) {
      for (let at = 0; at < piece.length; ) at += writeSync(this.#file, piece, at);
    }
  }

  #room(length: number): Uint8Array {
    if (length > KEPT_BYTES) return new Uint8Array(length);
    if (this.#kept.length < length) this.#kept = new Uint8Array(Math.min(KEPT_BYTES, 2 * length));
    return this.#kept.subarray(0, length);
  }

  /** Whether there was enough. */
  #fill(into: Uint8Array): boolean {
    for (let at = 0; at < into.length; ) {
      const read = readSync(this.#file, into, at, into.length - at, null);
      if (read === 0) return false;
      at += read;
    }
    return true;
  }
}
