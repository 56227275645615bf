import autocannon, { type Result } from 'autocannon';
import { startProgress } from '../base/progress.js';

export interface LoadOptions {
  url: string;
  /** Body of every request, sent as application/octet-stream. */
  body: Buffer;
  seconds: number;
  /** Load before the clock starts; its requests are not counted. */
  warmupSeconds: number;
  /** Requests in flight at any time. */
  connections: number;
}

export interface LoadResult {
  requests: number;
  seconds: number;
  /** Requests answered a second. */
  throughput: number;
  /** Latencies in milliseconds, to the microsecond; 0 when nothing was answered. */
  p50_ms: number;
  p90_ms: number;
  p99_ms: number;
  max_ms: number;
  /** Requests without an answer: refused and broken connections, timeouts. */
  errors: number;
  /** Answers outside 200–299. */
  non2xx: number;
}

/** Closed-loop load: each connection posts again as soon as it is answered. */
export async function loadTest(options: LoadOptions): Promise<LoadResult> {
  if (options.warmupSeconds > 0) await run(options, options.warmupSeconds, 'warm-up');
  return run(options, options.seconds, 'load test');
}

async function run({ url, body, connections }: LoadOptions, seconds: number, label: string): Promise<LoadResult> {
  // autocannon's own histogram counts whole milliseconds, too coarse for a small model.
  const latencies: number[] = [];
  const start = performance.now();
  const elapsed = () => (performance.now() - start) / 1000;
  const whole = Math.ceil(seconds);
  const progress = startProgress(`${label} (seconds)`, whole);
  const { errors, non2xx } = await new Promise<Result>((resolve, reject) => {
    const done = (error: unknown, result: Result) => (error ? reject(error) : resolve(result));
    autocannon(
      {
        url,
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream' },
        body,
        connections,
        duration: seconds,
        sampleInt: Math.min(1000, seconds * 1000),
      },
      done,
    )
      .on('response', (_client, _status, _bytes, milliseconds) => latencies.push(milliseconds))
      .on('tick', () =>
        progress.update(Math.min(Math.floor(elapsed()), whole), `${(latencies.length / elapsed()).toFixed(1)}/s`),
      );
  });
  const took = elapsed();
  progress.stop();
  const sorted = Float64Array.from(latencies).sort();
  const latency = (p: number) => Math.round(percentile(sorted, p) * 1000) / 1000;
  return {
    requests: sorted.length,
    seconds: took,
    throughput: sorted.length / took,
    p50_ms: latency(0.5),
    p90_ms: latency(0.9),
    p99_ms: latency(0.99),
    max_ms: latency(1),
    errors,
    non2xx,
  };
}

/** Nearest rank: the smallest value that a share `p` of all values does not exceed; 0 of none. */
export function percentile(sorted: Float64Array, p: number): number {
  return sorted[Math.max(Math.ceil(p * sorted.length), 1) - 1] ?? 0;
}
