/** What a measurement still counts after the next one. */
const MEMORY = 0.95;

/** Requests that each of two expectations counts for. */
const EXPECTED = 3;

/** A position far enough from the first to show the pace. */
const FAR = 9;

/** Variance of positions, as a share of their mean squared, at which the measured slope counts half. */
const DOUBT = 0.05;

/**
 * Latency by position, the number of requests in hand once one has been let in: a straight line through the latest
 * measurements. It covers batches, several instances and other load on the same cores alike. Where positions
 * are too much alike to show its slope it is the line through their mean and the origin.
 */
export class LatencyModel {
  /** Sums of weights, positions, latencies, squares and products. */
  #n = 0;
  #x = 0;
  #y = 0;
  #xx = 0;
  #xy = 0;

  expect(alone: number, pace: number): void {
    for (let i = 0; i < EXPECTED; i++) {
      this.record(1, alone);
      this.record(FAR, alone + (FAR - 1) * pace);
    }
  }

  /** @param ms until the answer */
  record(position: number, ms: number): void {
    this.#n = MEMORY * this.#n + 1;
    this.#x = MEMORY * this.#x + position;
    this.#y = MEMORY * this.#y + ms;
    this.#xx = MEMORY * this.#xx + position ** 2;
    this.#xy = MEMORY * this.#xy + position * ms;
  }

  /** Milliseconds to expect; 0 when nothing is known. */
  of(position: number): number {
    if (this.#n === 0) return 0;
    const [x, y] = [this.#x / this.#n, this.#y / this.#n];
    const steepest = y / x;
    const spread = this.#xx - this.#n * x * x;
    const doubt = DOUBT * this.#n * x * x;
    const slope = (this.#xy - this.#n * x * y + doubt * steepest) / (spread + doubt);
    return Math.max(0, y + Math.min(steepest, Math.max(0, slope)) * (position - x));
  }
}
