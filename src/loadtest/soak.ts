import { memoryGrowth } from './growth.js';
import type { RunResult } from './result.js';

/** Most windows of a soak; a short one has windows of `WINDOW_S` seconds. */
const MOST_WINDOWS = 60;
const WINDOW_S = 5;

/**
 * Warm-up as a fraction of a soak's duration, for the server to fill its caches and pools; at least `LEAST_WARM_UP_S`.
 */
const WARM_UP_SHARE = 0.1;
const LEAST_WARM_UP_S = 2;

/** Default warm-up for a soak of this many seconds. */
export const soakWarmUp = (seconds: number): number => Math.max(LEAST_WARM_UP_S, WARM_UP_SHARE * seconds);

/** Number of windows of a soak. */
export const soakWindows = (seconds: number): number =>
  Math.min(MOST_WINDOWS, Math.max(1, Math.floor(seconds / WINDOW_S)));

/** Adds the growth of the server's memory to a run. */
export function withGrowth(run: RunResult): RunResult {
  return { ...run, growth: run.process && memoryGrowth(run.process) };
}

/** Whether memory grew by at most the fraction `limit`; a run without that figure fails. */
export function passesGrowth({ growth }: RunResult, limit: number): boolean {
  return growth !== undefined && growth.share <= limit;
}
