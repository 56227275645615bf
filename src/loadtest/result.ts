import type { Arrivals } from './arrivals.js';
import type { Body } from './payload.js';

/** Milliseconds, to 0.1 %. */
export interface Percentiles {
  count: number;
  mean_ms: number;
  p50_ms: number;
  p90_ms: number;
  p99_ms: number;
  p999_ms: number;
  max_ms: number;
}

/** A part of the measured time, one of equals. */
export interface Window {
  /** Its beginning, from that of the measured time. */
  start_s: number;
  /** Answers a second. */
  throughput: number;
  /** Of 2xx answers; absent when there were none. */
  p50_ms?: number;
  p99_ms?: number;
}

/** What a process and its descendants took. */
export interface ProcessUse {
  /** Cores kept busy, on average. */
  cpu_cores: number;
  rss_start_mb: number;
  rss_end_mb: number;
  rss_max_mb: number;
  samples: { at_s: number; cpu_cores: number; rss_mb: number }[];
}

/** The line through a process' memory over the measured time. */
export interface MemoryGrowth {
  /** Of the memory at the line's start. */
  share: number;
  mb_per_hour: number;
  /** Its two ends. */
  start_s: number;
  start_mb: number;
  end_s: number;
  end_mb: number;
}

/** How requests were sent: as soon as an answer is there, or by the clock. */
export type Load =
  | { mode: 'closed'; concurrency: number }
  | { mode: 'open'; rate: number; arrivals: Arrivals; max_in_flight: number };

/** One run. Latencies are of requests that began in the measured time and were answered 2xx. */
export interface RunResult {
  load: Load;
  warm_up_s: number;
  seconds: number;
  /** Begun in the measured time. */
  requests: number;
  /** How many of them were answered with which status. */
  statuses: Record<string, number>;
  /** How many of them got no answer, by the code of the error. */
  errors: Record<string, number>;
  /** Answers that arrived in the measured time, a second; `goodput`: those of them that are 2xx. */
  throughput: number;
  goodput: number;
  /** From when a request was due (open loop) or sent (closed loop) to the last byte; absent without a 2xx answer. */
  latency?: Percentiles;
  /** Latency by share of requests: [percentile, milliseconds]. */
  distribution: [percentile: number, ms: number][];
  /** What the server says it took, by name in its `Server-Timing` header. */
  server: Record<string, Percentiles>;
  /** How much later than due requests were sent; next to nothing in a closed loop. */
  send_delay?: Percentiles;
  /** Open loop: requests that had to wait because `max_in_flight` others were under way. */
  capped: number;
  in_flight_max: number;
  /** Whether the throughputs of the last three windows lie within 10 %. */
  steady: boolean;
  windows: Window[];
  process?: ProcessUse;
  /** Of a soak whose server was sampled often enough. */
  growth?: MemoryGrowth;
  /** Cores the client itself kept busy, warm-up included: near 1 it was the limit, not the server. */
  client_cores: number;
  /** Whether the run was ended before its time; `seconds` is what it came to. */
  interrupted: boolean;
}

/** What a test does: its runs have one or several loads, a search finds a rate, a soak watches memory. */
export type Mode = 'closed' | 'open' | 'sweep' | 'slo' | 'soak';

/** Everything of one load test. */
export interface LoadTestResult {
  format: 1;
  created: string;
  url: string;
  mode: Mode;
  /** Form of the requests, and the SHA-256 of the images in their order. */
  body: Body;
  images: number;
  images_sha256: string;
  runs: RunResult[];
  /** Of a soak: the most that memory may grow, as a share, and whether it did not; absent without a limit. */
  soak?: { max_growth: number; passed: boolean };
  /** Of a search: the highest rate tried that kept p99 below the limit without a failure; 0 when none did. */
  slo?: { p99_ms: number; rate: number };
}

/** Requests that got no answer or one outside 2xx. */
export function failuresOf({ statuses, errors }: Pick<RunResult, 'statuses' | 'errors'>): number {
  const outside = Object.entries(statuses).filter(([status]) => !status.startsWith('2'));
  return [...outside, ...Object.entries(errors)].reduce((sum, [, count]) => sum + count, 0);
}

/** `closed, 4 in flight` or `open, 30/s poisson`: what tells runs apart, and finds a run in a baseline. */
export function loadName(load: Load): string {
  return load.mode === 'closed'
    ? `closed, ${load.concurrency} in flight`
    : `open, ${load.rate.toFixed(1)}/s ${load.arrivals}`;
}
