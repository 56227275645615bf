import { sha256File } from '../base/files.js';
import { log } from '../base/progress.js';
import { type Comparison, checkBaseline, compareRuns, missedGate, readBaseline } from './baseline.js';
import type { Target } from './client.js';
import { describeRun } from './describe.js';
import { type Body, imagesHash, payloadOf } from './payload.js';
import type { Load, LoadTestResult, RunResult } from './result.js';
import { checkTarget, closedLoop, openLoop, type RunOptions } from './run.js';
import { highestRate, meetsObjective } from './search.js';
import { passesGrowth, soakWarmUp, soakWindows, withGrowth } from './soak.js';

/** Concurrencies of mode `sweep` where none are given. */
const SWEEP = [1, 2, 4, 8, 16];

/** Requests in flight of the run that gives a search its starting rate. */
const SATURATING = 8;

/** A search stops at rates that send fewer requests than this in a run, because their p99 would say nothing. */
const FEWEST_REQUESTS = 10;

/** Seconds of load before measuring, unless it is a soak. */
const WARM_UP_S = 2;

export interface LoadTestOptions {
  /** Address to post to. */
  url: string;
  /** Files to send, in turn. */
  image: readonly string[];
  body: Body;
  /** Name of the image in a form or in JSON. */
  field: string;
  /** Headers to send; not stored with the result. */
  headers?: Readonly<Record<string, string>>;
  /**
   * `closed`: the next request after each answer; `open`: at `rate`; `sweep`: closed, at several concurrencies; `slo`:
   * searches the highest rate with p99 below `p99`; `soak`: a long run that watches memory.
   */
  mode: 'closed' | 'open' | 'sweep' | 'slo' | 'soak';
  concurrency: readonly number[];
  /** Requests per second; where the search starts in mode `slo`. */
  rate?: number;
  /** How requests sent at a rate are spaced; constant in a soak, else Poisson, when absent. */
  arrivals?: 'poisson' | 'constant';
  /** Milliseconds. */
  p99: number;
  /** Seconds measured in each run. */
  duration: number;
  /** Seconds of load before measuring. */
  warmUp?: number;
  maxInFlight: number;
  /** Seconds to wait for an answer. */
  timeout: number;
  /** Of Poisson arrivals. */
  seed: number;
  /** Server process to sample, with its children. */
  pid?: number;
  /** Largest growth of the server's memory that passes, as a share (mode `soak`). */
  maxGrowth?: number;
  /** Path of an earlier result to compare with. */
  baseline?: string;
  /** A run misses the gate when it is worse than the baseline by more than this share. */
  gate?: number;
}

export interface LoadTestOutcome {
  result: LoadTestResult;
  comparisons: Comparison[];
  /** Comparisons that miss the gate. */
  missed: Comparison[];
  passed: boolean;
}

/**
 * Load-tests any detector that takes images by POST.
 *
 * @param signal ends the current run; its result is still returned
 * @throws UserError for a file that cannot be read, a baseline of another test, or a target that does not answer
 * @example
 * const { result } = await loadTest({
 *   url: 'http://127.0.0.1:8080/predict',
 *   image: ['dog.jpg'],
 *   body: 'raw',
 *   field: 'image',
 *   mode: 'closed',
 *   concurrency: [8],
 *   p99: 200,
 *   duration: 10,
 *   maxInFlight: 1000,
 *   timeout: 30,
 *   seed: 0,
 * });
 */
export async function loadTest(options: LoadTestOptions, signal?: AbortSignal): Promise<LoadTestOutcome> {
  const { url, image, mode, body, headers = {} } = options;
  const payloads = await Promise.all(image.map((file) => payloadOf(file, options)));
  const kind = { mode, body, images_sha256: imagesHash(await Promise.all(image.map(sha256File))) };
  const baseline = options.baseline === undefined ? undefined : await readBaseline(options.baseline);
  if (baseline && options.baseline !== undefined) {
    const plan = { ...kind, loads: loadsOf(options), p99_ms: options.p99 };
    for (const notice of checkBaseline(options.baseline, baseline, plan)) log(`load-test: ${notice}`);
  }
  const target: Target = { url, payloads, headers, timeoutSeconds: options.timeout };
  await checkTarget(target);
  const result: LoadTestResult = {
    format: 1,
    created: new Date().toISOString(),
    url,
    ...kind,
    images: payloads.length,
    ...(await runAll(target, options, signal)),
  };
  const comparisons = baseline ? compareRuns(result, baseline) : [];
  const missed = options.gate === undefined ? [] : missedGate(comparisons, options.gate);
  return { result, comparisons, missed, passed: missed.length === 0 && result.soak?.passed !== false };
}

/** The loads of all runs of a test; a search chooses its own. */
function loadsOf(options: LoadTestOptions): Load[] {
  const { mode, concurrency, rate, maxInFlight } = options;
  if (mode === 'slo') return [];
  if (rate !== undefined) return [{ mode: 'open', rate, arrivals: arrivalsOf(options), max_in_flight: maxInFlight }];
  const asked = concurrency.length > 0 ? concurrency : mode === 'sweep' ? SWEEP : [1];
  return asked.map((one) => ({ mode: 'closed', concurrency: one }));
}

const arrivalsOf = ({ arrivals, mode }: LoadTestOptions) => arrivals ?? (mode === 'soak' ? 'constant' : 'poisson');

async function runAll(
  target: Target,
  options: LoadTestOptions,
  signal?: AbortSignal,
): Promise<Pick<LoadTestResult, 'runs' | 'slo' | 'soak'>> {
  const { maxInFlight, seed, pid, mode, duration: seconds, maxGrowth, p99 } = options;
  const soaking = mode === 'soak';
  const common: RunOptions = {
    seconds,
    warmupSeconds: options.warmUp ?? (soaking ? soakWarmUp(seconds) : WARM_UP_S),
    pid,
    windows: soaking ? soakWindows(seconds) : undefined,
    signal,
  };
  const open = (rate: number) =>
    openLoop(target, { ...common, rate, arrivals: arrivalsOf(options), maxInFlight, seed });
  const closed = (concurrency: number) => closedLoop(target, { ...common, concurrency });
  const under = (load: Load) => (load.mode === 'open' ? open(load.rate) : closed(load.concurrency));
  if (soaking) {
    const run = withGrowth(await under(loadsOf(options)[0]));
    if (maxGrowth === undefined) return { runs: [run] };
    return { runs: [run], soak: { max_growth: maxGrowth, passed: passesGrowth(run, maxGrowth) } };
  }
  const runs: RunResult[] = [];
  if (mode === 'slo') {
    const start = options.rate ?? (await closed(SATURATING)).goodput;
    const meets = async (rate: number) => {
      const run = await open(rate);
      runs.push(run);
      log(`load-test: ${describeRun(run)}`);
      return meetsObjective(run, p99);
    };
    const lowest = FEWEST_REQUESTS / seconds;
    const rate = await highestRate(meets, { start: Math.max(start, lowest), lowest, signal });
    return { slo: { p99_ms: p99, rate }, runs };
  }
  for (const load of loadsOf(options)) if (!signal?.aborted) runs.push(await under(load));
  return { runs };
}
