import type { ImageFormat } from './image_format.js';

/** Bytes that a pixel takes at most while its image is decoded, with what the libraries keep of it. */
const PIXEL_BYTES: Record<ImageFormat, number> = { jpeg: 6, png: 4, webp: 8, gif: 8, tiff: 8, avif: 16, bmp: 8 };

/** Bytes that the images decoded at the same time in one thread may take together. */
const BUDGET_BYTES = 256e6;

interface Waiting {
  cost: number;
  begin: () => void;
}

/** A sum that what is under way at the same time does not exceed; what alone would exceed it goes alone. */
export class Budget {
  readonly #total: number;
  readonly #waiting: Waiting[] = [];
  #used = 0;

  constructor(total: number) {
    this.#total = total;
  }

  /** Does work when there is room for it, in the order of the calls. */
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

/** Decodes an image of this many pixels when there is memory for it beside those under way. */
export const withinBudget = <T>(format: ImageFormat, pixels: number, decode: () => Promise<T>): Promise<T> =>
  budget.spend(pixels * PIXEL_BYTES[format], decode);
