import type { Load, LoadTestResult, RunResult } from '../../src/loadtest/result.js';

/** A run in which every latency is `ms`. */
export function runResult(load: Load, goodput: number, ms: number): RunResult {
  const latency = { count: 100, mean_ms: ms, p50_ms: ms, p90_ms: ms, p99_ms: ms, p999_ms: ms, max_ms: ms };
  return {
    load,
    warm_up_s: 0,
    seconds: 1,
    requests: 100,
    statuses: { 200: 100 },
    errors: {},
    throughput: goodput,
    goodput,
    latency,
    distribution: [
      [0, ms],
      [50, ms],
      [100, ms],
    ],
    server: {},
    capped: 0,
    in_flight_max: 1,
    steady: true,
    client_cores: 0.1,
    interrupted: false,
    windows: [{ start_s: 0, throughput: goodput, p50_ms: ms, p99_ms: ms }],
  };
}

export function loadResult(runs: RunResult[], mode: LoadTestResult['mode'] = 'closed'): LoadTestResult {
  const url = 'http://host/predict';
  const images = { images: 1, images_sha256: '0'.repeat(64) };
  return { format: 1, created: '2026-01-01T00:00:00.000Z', url, mode, body: 'raw', ...images, runs };
}
