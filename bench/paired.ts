import { median } from '../src/base/math.js';

/** One line of a benchmark's answer. Times and rates are medians; a ratio above 1 means ours is better. */
export interface BenchResult {
  case: string;
  unit: string;
  ours: number;
  peer: number;
  peer_name: string;
  ratio: Spread;
}

export interface Spread {
  min: number;
  median: number;
  max: number;
}

export interface PairedCase {
  name: string;
  peerName: string;
  /** One unit of work each; timed from the call to the end of its promise. */
  ours: () => unknown;
  peer: () => unknown;
  /** Pairs that count (default 10), after `warmUp` pairs that do not (default 3). */
  rounds?: number;
  warmUp?: number;
}

/**
 * Runs ours and the peer in turns in one process, changing who goes first, so that whatever slows the machine
 * down for a while meets both. Each pair gives one ratio: the peer's time over ours.
 */
export async function paired({
  name,
  peerName,
  ours,
  peer,
  rounds = 10,
  warmUp = 3,
}: PairedCase): Promise<BenchResult> {
  const pairs: { ours: number; peer: number }[] = [];
  for (let round = 0; round < warmUp + rounds; round++) {
    const pair = { ours: 0, peer: 0 };
    const order = round % 2 === 0 ? (['ours', 'peer'] as const) : (['peer', 'ours'] as const);
    for (const who of order) pair[who] = await milliseconds(who === 'ours' ? ours : peer);
    if (round >= warmUp) pairs.push(pair);
  }
  return {
    case: name,
    unit: 'ms',
    ours: spread(pairs.map((pair) => pair.ours)).median,
    peer: spread(pairs.map((pair) => pair.peer)).median,
    peer_name: peerName,
    ratio: spread(pairs.map((pair) => pair.peer / pair.ours)),
  };
}

/** Least, middle and greatest of some numbers; the middle of an even count is the mean of the two in the middle. */
export function spread(values: readonly number[]): Spread {
  return { min: Math.min(...values), median: median(values), max: Math.max(...values) };
}

async function milliseconds(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
