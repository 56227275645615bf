import type { BenchResult } from '../paired.js';
import type { LoadOptions } from './client.js';

/** How long things are measured. */
export interface Plan {
  /** Turns of which each gives one ratio. */
  rounds: number;
  /** Seconds measured, and of load before. */
  seconds: number;
  warmUp: number;
  /** Seconds for choosing among variants of one server. */
  trial: number;
  /** Longest seconds of one measurement of `yolox-node tune`. */
  tune: number;
  /** Starts of each server. */
  starts: number;
  /** Seconds of load far above what the server can do. */
  overload: number;
  /** Versions changed under load. */
  swaps: number;
  /** Requests in flight tried for the highest throughput; all servers are compared at the first. */
  saturating: readonly number[];
  /** Images sent in turns. */
  images: number;
}

export const FULL: Plan = {
  rounds: 5,
  seconds: 6,
  warmUp: 1.5,
  trial: 4,
  tune: 3,
  starts: 7,
  overload: 20,
  swaps: 20,
  saturating: [16, 4, 8, 32],
  images: 32,
};

/** To see that everything works; its figures mean nothing. */
export const QUICK: Plan = {
  rounds: 1,
  seconds: 1,
  warmUp: 0.3,
  trial: 0.7,
  tune: 1,
  starts: 1,
  overload: 2,
  swaps: 2,
  saturating: [16, 4],
  images: 4,
};

/** A line of the answer, with what else is worth saying about it. */
export interface ServeResult extends BenchResult {
  note?: string;
}

/** What every part works with. */
export interface Bench {
  plan: Plan;
  /** Folder for bundles and the like, deleted at the end. */
  work: string;
  /** JPEG files, sent in turns. */
  images: readonly string[];
  load: LoadOptions;
}
