import type { ImageFormat } from './image_format.js';

/** Upper bounds of bytes per pixel during decoding, including memory kept by the libraries. */
const PIXEL_BYTES: Record<ImageFormat, number> = { jpeg: 6, png: 4, webp: 8, gif: 8, tiff: 8, avif: 16, bmp: 8 };

/** Bytes that images decoded concurrently in one thread may use together. */
const BUDGET_BYTES = 256e6;

interface Waiting {
  cost: number;
  begin: () => void;
}

/** Limits the total cost of concurrent work; work that exceeds the limit by itself runs alone. */
export class Budget {
  readonly #total: number;
  readonly #waiting: Waiting[] = [];
  #used = 0;

  constructor(total: number) {
    this.#total = total;
  }

  /** Runs work once there is room for it, in order of the calls. */
  async spend<T>(cost: number, work: () => Promise<T>): Promise<T> {
    const share = Math.min(cost, this.#total);
    if (this.#waiting.length > 0 || this.#used + share > this.#total) {
      await new Promise<void>((begin) => {
        this.#waiting.push({ cost: share, begin });
      });
    } else {
      this.#used += share;
    }
    try {
      return await work();
    } finally {
      this.#used -= share;
      this.#beginNext();
    }
  }

  #beginNext(): void {
    while (this.#waiting.length > 0 && this.#used + this.#waiting[0].cost <= this.#total) {
      const next = this.#waiting.shift() as Waiting;
      this.#used += next.cost;
      next.begin();
    }
  }
}

const budget = new Budget(BUDGET_BYTES);

/** Decodes an image of this many pixels once there is memory for it. */
export const withinBudget = <T>(format: ImageFormat, pixels: number, decode: () => Promise<T>): Promise<T> =>
  budget.spend(pixels * PIXEL_BYTES[format], decode);
