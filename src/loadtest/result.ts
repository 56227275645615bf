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

/** One of several equal parts of the measured time. */
export interface Window {
  /** Its start, relative to that of the measured time. */
  start_s: number;
  /** Answers per second. */
  throughput: number;
  /** Of 2xx answers; absent if there were none. */
  p50_ms?: number;
  p99_ms?: number;
}

/** Resources used by a process and its descendants. */
export interface ProcessUse {
  /** Cores kept busy, on average. */
  cpu_cores: number;
  rss_start_mb: number;
  rss_end_mb: number;
  rss_max_mb: number;
  samples: { at_s: number; cpu_cores: number; rss_mb: number }[];
}

/** A line fitted to the memory of a process over the measured time. */
export interface MemoryGrowth {
  /** Growth as a fraction of the memory at the start of the line. */
  share: number;
  mb_per_hour: number;
  /** Its two end points. */
  start_s: number;
  start_mb: number;
  end_s: number;
  end_mb: number;
}

/** How requests were sent: after each answer, or at a rate. */
export type Load =
  | { mode: 'closed'; concurrency: number }
  | { mode: 'open'; rate: number; arrivals: Arrivals; max_in_flight: number };

/** One run. Latencies include only requests that began in the measured time and got a 2xx answer. */
export interface RunResult {
  load: Load;
  warm_up_s: number;
  seconds: number;
  /** Requests begun in the measured time. */
  requests: number;
  /** Number of answers by status. */
  statuses: Record<string, number>;
  /** Number of requests without an answer, by error code. */
  errors: Record<string, number>;
  /** Answers per second in the measured time; `goodput` counts only 2xx. */
  throughput: number;
  goodput: number;
  /** From when a request was due (open loop) or sent (closed loop) to the last byte; absent without a 2xx answer. */
  latency?: Percentiles;
  /** Latency by share of requests: [percentile, milliseconds]. */
  distribution: [percentile: number, ms: number][];
  /** Durations the server reports, by name in its `Server-Timing` header. */
  server: Record<string, Percentiles>;
  /** How late requests were sent; almost nothing in a closed loop. */
  send_delay?: Percentiles;
  /** Open loop: requests that had to wait because `max_in_flight` others were in flight. */
  capped: number;
  in_flight_max: number;
  /** Whether the throughputs of the last three windows lie within 10 %. */
  steady: boolean;
  windows: Window[];
  process?: ProcessUse;
  /** Only for a soak whose server was sampled often enough. */
  growth?: MemoryGrowth;
  /** Cores the client used, including warm-up; near 1, the client was the limit, not the server. */
  client_cores: number;
  /** Whether the run was ended early; `seconds` is then its actual length. */
  interrupted: boolean;
}

/** Mode of a test: runs with one or several loads, a search for a rate, or a soak that watches memory. */
export type Mode = 'closed' | 'open' | 'sweep' | 'slo' | 'soak';

/** The complete result of one load test. */
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
  /** For a soak: the allowed growth of memory as a fraction, and whether it was kept; absent without a limit. */
  soak?: { max_growth: number; passed: boolean };
  /** For a search: the highest rate tried that kept p99 below the limit without failures; 0 if none did. */
  slo?: { p99_ms: number; rate: number };
}

/** Number of requests with no answer or a non-2xx answer. */
export function failuresOf({ statuses, errors }: Pick<RunResult, 'statuses' | 'errors'>): number {
  const outside = Object.entries(statuses).filter(([status]) => !status.startsWith('2'));
  return [...outside, ...Object.entries(errors)].reduce((sum, [, count]) => sum + count, 0);
}

/** Names a load, `closed, 4 in flight` or `open, 30/s poisson`, to distinguish runs and find a run in a baseline. */
export function loadName(load: Load): string {
  return load.mode === 'closed'
    ? `closed, ${load.concurrency} in flight`
    : `open, ${load.rate.toFixed(1)}/s ${load.arrivals}`;
}
