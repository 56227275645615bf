import type { Comparison } from './baseline.js';
import { failuresOf, type LoadTestResult, loadName, type RunResult } from './result.js';

/** Describes a run in one line. */
export function describeRun(run: RunResult): string {
  const { load, goodput, latency, steady, capped, interrupted, seconds, process: use, growth } = run;
  const { total } = run.server;
  return [
    `${loadName(load)}: ${goodput.toFixed(1)}/s`,
    latency
      ? `p50 ${ms(latency.p50_ms)}, p90 ${ms(latency.p90_ms)}, p99 ${ms(latency.p99_ms)}, p99.9 ${ms(latency.p999_ms)}, max ${ms(latency.max_ms)}`
      : 'nothing answered 2xx',
    `${failuresOf(run)} failed`,
    ...(total ? [`server p50 ${ms(total.p50_ms)}`] : []),
    ...(use ? [`${use.cpu_cores.toFixed(2)} cores, ${use.rss_max_mb.toFixed(0)} MB`] : []),
    ...(growth ? [`memory grew by ${percent(growth.share)}`] : []),
    ...(capped > 0 ? [`${capped} waited for the limit in flight`] : []),
    ...(isClientBusy(run) ? [`the client kept ${run.client_cores.toFixed(2)} cores busy: it may be the limit`] : []),
    ...(interrupted ? [`interrupted after ${seconds.toFixed(1)} s`] : []),
    ...(steady ? [] : ['not steady']),
  ].join('; ');
}

/** From this fraction of one core, which is all a client has, the client may limit a run. */
const BUSY = 0.9;

/** Whether the client, which runs on one core, may have limited a run. */
export function isClientBusy({ client_cores }: RunResult): boolean {
  return client_cores > BUSY;
}

/** Describes the result of a search or a soak; empty for other modes. */
export function describeObjective({ slo, soak, runs }: LoadTestResult): string[] {
  return [
    ...(slo ? [`highest rate with p99 < ${slo.p99_ms} ms: ${slo.rate.toFixed(1)}/s`] : []),
    ...(soak && !soak.passed
      ? [`MISSED: memory grew by ${describeGrowth(runs[0])}, not by at most ${percent(soak.max_growth)}`]
      : []),
  ];
}

export function describeComparison({ name, throughput, p50, p99 }: Comparison): string {
  const ratio = (value?: number) => (value === undefined ? '–' : `${value.toFixed(3)}×`);
  return `against the baseline, ${name}: throughput ${ratio(throughput)}, p50 ${ratio(p50)}, p99 ${ratio(p99)}`;
}

function describeGrowth({ growth }: RunResult): string {
  return growth ? percent(growth.share) : 'an unknown share (too few samples)';
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

function ms(value: number): string {
  return `${value.toFixed(2)} ms`;
}
