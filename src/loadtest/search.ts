import { failuresOf, type RunResult } from './result.js';

/** Steps of the search while one bound is missing. */
const UP = 1.5;
const DOWN = 0.5;

/** The bounds are this near when the search ends. */
const TOLERANCE = 0.05;

/** Tries after which a search ends in any case. */
const MOST_TRIES = 16;

/**
 * The highest rate tried that `meets` accepts, by steps of a half out of `start`, then bisection of the ratio; 0 when none was.
 * Nothing above a refused rate is tried, and nothing below `lowest`; an abort ends the search at what is known.
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
    // A run that was cut short says nothing about its rate.
    if (signal?.aborted) break;
    if (met) low = rate;
    else high = rate;
    if (low === 0) rate = high * DOWN;
    else if (high === Number.POSITIVE_INFINITY) rate = low * UP;
    else rate = Math.sqrt(low * high);
  }
  return low;
}

/** Whether a run kept its 99th percentile below `p99Ms`, with every request answered 2xx. */
export function meetsObjective(run: RunResult, p99Ms: number): boolean {
  return failuresOf(run) === 0 && run.latency !== undefined && run.latency.p99_ms < p99Ms;
}
