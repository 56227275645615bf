/** Share of a new measurement in the moving estimate. */
const NEWEST = 0.2;

/** What a larger batch must save of each image's time to be worth its latency and memory. */
const LEAST_GAIN = 0.03;

/** Batches after which a size not used since is measured anew: a slow moment must not rule it out for good. */
const MEMORY = 1000;

interface Estimate {
  /** Undefined after the first run, which allocates and does not count. */
  ms?: number;
  /** Number of the last batch of this size. */
  at: number;
}

/** Moving estimates of what a batch takes, by its size: the powers of two up to the largest allowed. */
export class BatchCostModel {
  readonly sizes: readonly number[];
  readonly #estimates = new Map<number, Estimate>();
  #batches = 0;

  constructor(maxBatch: number) {
    this.sizes = Array.from({ length: Math.floor(Math.log2(maxBatch)) + 1 }, (_, i) => 2 ** i);
  }

  record(size: number, ms: number): void {
    const known = this.#estimates.get(size);
    const last = this.#measured(size) ?? ms;
    this.#estimates.set(size, { ms: known && last + NEWEST * (ms - last), at: ++this.#batches });
  }

  /** Milliseconds a batch of this size takes; from the nearest smaller one in proportion, 0 when nothing is known. */
  expected(size: number): number {
    const known = this.#measured(size);
    if (known !== undefined) return known;
    return size === 1 ? 0 : 2 * this.expected(size / 2);
  }

  /**
   * The batch to run next: of the sizes that `waiting` images fill and that take at most `budget` ms, the one with the
   * least time for each image. A size without a measurement is tried. At least 1.
   */
  best(waiting: number, budget: number): number {
    let best = 1;
    for (const size of this.sizes) {
      if (size > waiting || this.expected(size) > budget) break;
      if (this.#measured(size) === undefined) return size;
      if (this.expected(size) / size < (1 - LEAST_GAIN) * (this.expected(best) / best)) best = size;
    }
    return best;
  }

  /** Milliseconds for each image in the batch that was measured to be best; 0 when nothing is known. */
  get pace(): number {
    const known = this.sizes.filter((size) => this.#measured(size) !== undefined);
    return known.length === 0 ? 0 : Math.min(...known.map((size) => this.expected(size) / size));
  }

  #measured(size: number): number | undefined {
    const known = this.#estimates.get(size);
    return known && this.#batches - known.at < MEMORY ? known.ms : undefined;
  }
}
