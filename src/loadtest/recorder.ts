import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { Outcome } from './client.js';
import type { Percentiles, RunResult, Window } from './result.js';
import { parseServerTiming } from './server_timing.js';

/** Default number of windows of a run. */
const WINDOWS = 10;

/** A run is steady if this many final windows agree within this fraction. */
const STEADY_WINDOWS = 3;
const STEADY_SPREAD = 0.1;

/** Rounding error of a fraction times a count. */
const RANK_SLACK = 1e-6;

/** Rounding error of a count of windows times their length. */
const SECONDS_SLACK = 1e-6;

/** Most names of `Server-Timing` to record, so that a server that generates names cannot fill the memory. */
const MOST_STAGES = 32;

/** Times of one request in milliseconds since the start of the measured time; negative during warm-up. */
export interface Times {
  due: number;
  sent: number;
  done: number;
}

/** Counts and latencies of one run, in constant memory. */
export class Recorder {
  readonly #seconds: number;
  readonly #latency = histogram();
  readonly #sendDelay = histogram();
  readonly #stages = new Map<string, RecordableHistogram>();
  readonly #windows: { answers: number; good: number; latency: RecordableHistogram }[];
  readonly #statuses: Record<string, number> = {};
  readonly #errors: Record<string, number> = {};
  #requests = 0;

  constructor(seconds: number, windows = WINDOWS) {
    this.#seconds = seconds;
    this.#windows = Array.from({ length: windows }, () => ({ answers: 0, good: 0, latency: histogram() }));
  }

  add({ due, sent, done }: Times, outcome: Outcome): void {
    const good = outcome.status !== undefined && outcome.status >= 200 && outcome.status < 300;
    // Timers may fire slightly early; a wait is never negative.
    const latency = done - Math.min(due, sent);
    const window = this.#windows[Math.floor((done / 1000 / this.#seconds) * this.#windows.length)];
    if (window && outcome.status !== undefined) {
      window.answers++;
      if (good) {
        window.good++;
        record(window.latency, latency);
      }
    }
    if (due < 0 || due >= this.#seconds * 1000) return;
    this.#requests++;
    record(this.#sendDelay, Math.max(0, sent - due));
    const [counts, key] =
      outcome.status === undefined ? [this.#errors, outcome.error] : [this.#statuses, String(outcome.status)];
    counts[key] = (counts[key] ?? 0) + 1;
    if (!good) return;
    record(this.#latency, latency);
    for (const [name, ms] of parseServerTiming(outcome.serverTiming)) this.#addStage(name, ms);
  }

  /** Figures of the first `seconds`, fewer than planned if the run was interrupted; includes only whole windows. */
  result(seconds = this.#seconds) {
    const length = this.#seconds / this.#windows.length;
    const perSecond = (key: 'answers' | 'good') =>
      seconds > 0 ? this.#windows.reduce((sum, window) => sum + window[key], 0) / seconds : 0;
    const windows = this.#windows.flatMap(({ answers, latency }, index): Window[] => {
      if ((index + 1) * length > seconds + SECONDS_SLACK) return [];
      const { p50_ms, p99_ms } = percentiles(latency) ?? {};
      return [{ start_s: index * length, throughput: answers / length, p50_ms, p99_ms }];
    });
    const stages = [...this.#stages].flatMap(([name, stage]) => {
      const figures = percentiles(stage);
      return figures ? [[name, figures] as const] : [];
    });
    return {
      seconds,
      requests: this.#requests,
      statuses: this.#statuses,
      errors: this.#errors,
      throughput: perSecond('answers'),
      goodput: perSecond('good'),
      latency: percentiles(this.#latency),
      distribution: distribution(this.#latency),
      server: Object.fromEntries(stages),
      send_delay: percentiles(this.#sendDelay),
      steady: isSteady(windows.map(({ throughput }) => throughput)),
      windows,
    } satisfies Partial<RunResult>;
  }

  #addStage(name: string, ms: number): void {
    let stage = this.#stages.get(name);
    if (!stage) {
      if (this.#stages.size >= MOST_STAGES) return;
      stage = histogram();
      this.#stages.set(name, stage);
    }
    record(stage, ms);
  }
}

/** Whether the last throughputs are within 10 % of the highest of them. */
export function isSteady(throughputs: readonly number[]): boolean {
  const last = throughputs.slice(-STEADY_WINDOWS);
  const high = Math.max(...last);
  return last.length === STEADY_WINDOWS && high > 0 && high - Math.min(...last) <= STEADY_SPREAD * high;
}

/** Node's own HDR histogram: microseconds up to an hour, three digits. */
function histogram(): RecordableHistogram {
  return createHistogram({ lowest: 1, highest: 3_600_000_000, figures: 3 });
}

function record(into: RecordableHistogram, ms: number): void {
  into.record(Math.max(1, Math.round(ms * 1000)));
}

function percentiles(of: RecordableHistogram): Percentiles | undefined {
  if (of.count === 0) return undefined;
  // The histogram rounds to the nearest rank, which may be below the percentile; ask for a rank at or above it.
  const at = (percentile: number) =>
    of.percentile((Math.ceil((percentile / 100) * of.count - RANK_SLACK) / of.count) * 100) / 1000;
  return {
    count: of.count,
    mean_ms: of.mean / 1000,
    p50_ms: at(50),
    p90_ms: at(90),
    p99_ms: at(99),
    p999_ms: at(99.9),
    max_ms: of.max / 1000,
  };
}

function distribution(of: RecordableHistogram): [number, number][] {
  if (of.count === 0) return [];
  return [...of.percentiles].map(([percentile, value]) => [percentile, value / 1000]);
}
