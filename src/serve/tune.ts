import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { median } from '../base/math.js';
import type { ServeConfig } from '../config/schema.js';
import type { Bundle } from '../detect/bundle.js';
import type { Provider } from '../detect/providers.js';
import type { Measurement, Tuning } from '../detect/tuning.js';
import { ModelProcess } from './versions/model_process.js';

/** Batches of one against batches as large as measurements let them grow. */
const BATCHES = [1, 8];

/** Each instance holds the model's weights and work space. */
const MOST_INSTANCES = 16;

/** Rounds over all candidates, so that a slow moment of the machine meets more than one of them. */
const ROUNDS = 2;

/** Times are taken in windows of this many ms, until the last three are within `STEADY` of their median. */
const WINDOW_MS = 400;
const STEADY = 0.1;

export interface TuneOptions {
  /** Longest time of one measurement, seconds; there are `ROUNDS` × 2 of each candidate. */
  seconds: number;
  onProgress?: (done: number, total: number, note: string) => void;
}

export interface Tuned {
  measured: Measurement[];
  /** What the model ran on. */
  provider: Provider;
}

/** Instances × threads that share out the cores evenly, with and without batches. */
export function candidates(cores = availableParallelism()): Tuning[] {
  const shares = Array.from({ length: Math.min(cores, MOST_INSTANCES) }, (_, i) => i + 1);
  return shares
    .filter((instances) => cores % instances === 0)
    .flatMap((instances) => BATCHES.map((maxBatch) => ({ instances, threads: cores / instances, maxBatch })));
}

/**
 * Measures each candidate on a bundle's test image, encoded as clients send it: from the bytes to the objects,
 * in a process of its own as when it is served, for as many clients as it can use and for one.
 * @throws UserError when the bundle cannot be run
 */
export async function measureCandidates(
  bundle: Bundle,
  config: ServeConfig,
  { seconds, onProgress }: TuneOptions,
  tunings = candidates(),
): Promise<Tuned> {
  const bytes = await readFile(join(bundle.dir, bundle.test.image));
  const results = tunings.map((tuning) => ({ tuning, rates: [] as number[], latencies: [] as number[] }));
  let provider: Provider = 'cpu';
  let done = 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (const { tuning, rates, latencies } of round % 2 === 0 ? results : results.toReversed()) {
      const note = `${tuning.instances} x ${tuning.threads} threads, batches to ${tuning.maxBatch}`;
      onProgress?.(done++, ROUNDS * tunings.length, note);
      const model = await ModelProcess.start(bundle, { ...config, ...tuning, deadline: 3_600_000 });
      try {
        provider = model.info.provider;
        const one = await windowsOf(model, bytes, 1, seconds);
        const many = await windowsOf(model, bytes, clientsFor(tuning), seconds);
        latencies.push(median(one.map(({ latency }) => latency)));
        rates.push(median(many.map(({ rate }) => rate)));
      } finally {
        await model.close();
      }
    }
  }
  onProgress?.(done, done, '');
  const measured = results.map(({ tuning, rates, latencies }) => ({
    ...tuning,
    rate: mean(rates),
    latency: mean(latencies),
  }));
  return { measured, provider };
}

/** One batch in every instance, another that waits for it, and two images on their way there or back. */
const clientsFor = ({ instances, maxBatch }: Tuning): number => 2 * instances * maxBatch + 2;

interface Window {
  /** Images per second, and median milliseconds of one. */
  rate: number;
  latency: number;
}

/** The last windows of a load from so many clients, each of whom waits for its answer before it asks again. */
async function windowsOf(model: ModelProcess, bytes: Uint8Array, clients: number, seconds: number): Promise<Window[]> {
  const end = performance.now() + seconds * 1000;
  const windows: Window[] = [];
  const never = new AbortController().signal;
  let latencies: number[] = [];
  let since = performance.now();
  const steady = () => {
    const rates = windows.slice(-3).map(({ rate }) => rate);
    return rates.length === 3 && rates.every((rate) => Math.abs(rate / median(rates) - 1) <= STEADY);
  };
  const enough = () => windows.length > 0 && (performance.now() >= end || steady());
  // Only the first client watches the clock: a window ends with an answer of its.
  const client = async (first: boolean) => {
    while (!enough()) {
      const start = performance.now();
      const ticket = model.admit();
      try {
        await model.detect({ bytes }, ticket, never);
      } finally {
        ticket.leave();
      }
      const now = performance.now();
      latencies.push(now - start);
      if (!first || now - since < WINDOW_MS) continue;
      windows.push({ rate: (latencies.length * 1000) / (now - since), latency: median(latencies) });
      latencies = [];
      since = now;
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, i) => client(i === 0)));
  return windows.slice(-3);
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
