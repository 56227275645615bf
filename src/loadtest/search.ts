import { failuresOf, type RunResult } from './result.js';

/** Factor per step while one bound is unknown. */
const UP = 1.5;
const DOWN = 0.5;

/** Relative distance of the bounds at which the search ends. */
const TOLERANCE = 0.05;

/** Most tries of a search. */
const MOST_TRIES = 16;

/**
 * Finds the highest rate that `meets` accepts: steps by half from `start`, then bisects the ratio. Returns 0 if it
 * accepts none. Never tries a rate above a refused one or below `lowest`; an abort returns the best rate so far.
 */
export async function highestRate(
  meets: (rate: number) => Promise<boolean>,
  { start, lowest, signal }: { start: number; lowest: number; signal?: AbortSignal },
): Promise<number> {
  let low = 0;
  let high = Number.POSITIVE_INFINITY;
  let rate = start;
  for (let tries = 0; tries < MOST_TRIES && rate >= lowest && high / low > 1 + TOLERANCE; tries++) {
    const met = await meets(rate);
    // An interrupted run says nothing about its rate.
    if (signal?.aborted) break;
    if (met) low = rate;
    else high = rate;
    if (low === 0) rate = high * DOWN;
    else if (high === Number.POSITIVE_INFINITY) rate = low * UP;
    else rate = Math.sqrt(low * high);
  }
  return low;
}

/** Whether a run kept its 99th percentile below `p99Ms` with only 2xx answers. */
export function meetsObjective(run: RunResult, p99Ms: number): boolean {
  return failuresOf(run) === 0 && run.latency !== undefined && run.latency.p99_ms < p99Ms;
}
