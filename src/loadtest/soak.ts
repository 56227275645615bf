import { memoryGrowth } from './growth.js';
import type { RunResult } from './result.js';

/** Windows a soak is told in, of `WINDOW_S` seconds where it is short. */
const MOST_WINDOWS = 60;
const WINDOW_S = 5;

/** Share of a soak's time that a server is given before to fill its caches and pools, at least `LEAST_WARM_UP_S`. */
const WARM_UP_SHARE = 0.1;
const LEAST_WARM_UP_S = 2;

/** Seconds of load before a soak of so many seconds unless told. */
export const soakWarmUp = (seconds: number): number => Math.max(LEAST_WARM_UP_S, WARM_UP_SHARE * seconds);

/** Parts a soak's measured time is told in. */
export const soakWindows = (seconds: number): number =>
  Math.min(MOST_WINDOWS, Math.max(1, Math.floor(seconds / WINDOW_S)));

/** A soak's run with the growth of its server's memory. */
export function withGrowth(run: RunResult): RunResult {
  return { ...run, growth: run.process && memoryGrowth(run.process) };
}

/** Whether memory grew by no more than a share `limit`; a run that cannot tell does not pass. */
export function passesGrowth({ growth }: RunResult, limit: number): boolean {
  return growth !== undefined && growth.share <= limit;
}
