import type { Comparison } from '../loadtest/baseline.js';
import { describeObjective, isClientBusy } from '../loadtest/describe.js';
import {
  failuresOf,
  type LoadTestResult,
  loadName,
  type MemoryGrowth,
  type Percentiles,
  type ProcessUse,
  type RunResult,
} from '../loadtest/result.js';
import { type LineSeries, lineChart } from './charts.js';
import { beside, chart, type Markup, page, table, text } from './html.js';

/** Report of a load test as one HTML file. */
export function loadReport(result: LoadTestResult, comparisons: readonly Comparison[] = []): Promise<string> {
  const { url, images, created, runs } = result;
  return page({
    title: 'Load test',
    subtitle: `${url}, ${images} image${images === 1 ? '' : 's'}, ${created}`,
    sections: [
      {
        title: 'Runs',
        content: [...describeObjective(result).map(text), runsTable(runs), ...overRuns(runs), percentileCurves(runs)],
      },
      ...(comparisons.length > 0 ? [{ title: 'Against the baseline', content: [comparisonTable(comparisons)] }] : []),
      ...runs.map((run) => ({ title: loadName(run.load), content: oneRun(run) })),
    ],
  });
}

function runsTable(runs: readonly RunResult[]): Markup {
  return table(
    ['load', 'requests', 'answers/s', '2xx/s', 'p50 ms', 'p90 ms', 'p99 ms', 'p99.9 ms', 'max ms', 'failed', 'steady'],
    runs.map((run) => [
      loadName(run.load),
      run.requests,
      figure(run.throughput),
      figure(run.goodput),
      ...latencyCells(run.latency),
      failuresOf(run),
      run.steady ? 'yes' : 'no',
    ]),
  );
}

/** Charts of throughput and latency over the load, for runs that differ in one number. */
function overRuns(runs: readonly RunResult[]): Markup[] {
  if (runs.length < 2 || new Set(runs.map(({ load }) => load.mode)).size > 1) return [];
  const x = runs[0].load.mode === 'closed' ? 'requests in flight' : 'requests/s sent';
  const sorted = runs
    .map((run) => ({ at: run.load.mode === 'closed' ? run.load.concurrency : run.load.rate, run }))
    .sort((a, b) => a.at - b.at);
  const axes = { x, min: 0, xMin: 0, xMax: Math.ceil(sorted[sorted.length - 1].at) };
  const curve = (name: string, value: (run: RunResult) => number | undefined) => ({
    name,
    points: sorted.flatMap(({ at, run }) => {
      const y = value(run);
      return y === undefined ? [] : [[at, y] as const];
    }),
  });
  return [
    beside(
      chart(
        lineChart([curve('answers', ({ throughput }) => throughput), curve('2xx', ({ goodput }) => goodput)], {
          ...axes,
          title: 'Throughput',
          y: 'requests/s',
        }),
        'Throughput by load',
      ),
      chart(
        lineChart([curve('p50', ({ latency }) => latency?.p50_ms), curve('p99', ({ latency }) => latency?.p99_ms)], {
          ...axes,
          title: 'Latency',
          y: 'ms',
        }),
        'Latency by load',
      ),
    ),
  ];
}

/** Curves over the number of nines, which stretches the tail: 1 is the 90th percentile, 2 the 99th, 3 the 99.9th. */
function percentileCurves(runs: readonly RunResult[]): Markup {
  const series = runs.map(({ load, distribution }) => ({
    name: loadName(load),
    points: distribution
      .filter(([percentile]) => percentile < 100)
      .map(([percentile, ms]) => [-Math.log10(1 - percentile / 100), ms] as const),
  }));
  return chart(
    lineChart(series, { title: 'Latency by percentile', x: 'nines (1: p90, 2: p99)', y: 'ms', min: 0, width: 720 }),
    'Latency by percentile',
  );
}

function comparisonTable(comparisons: readonly Comparison[]): Markup {
  const ratio = (value?: number) => (value === undefined ? '–' : value.toFixed(3));
  return table(
    ['load', 'throughput ×', 'p50 ×', 'p99 ×'],
    comparisons.map(({ name, throughput, p50, p99 }) => [name, ratio(throughput), ratio(p50), ratio(p99)]),
  );
}

function oneRun(run: RunResult): Markup[] {
  const { windows, process: use, growth, server, send_delay, seconds } = run;
  const points = (key: 'throughput' | 'p50_ms' | 'p99_ms') =>
    windows.flatMap((window) => (window[key] === undefined ? [] : [[window.start_s, window[key]] as const]));
  const overTime = (title: string, y: string, series: readonly LineSeries[]) =>
    chart(lineChart(series, { title, x: 'seconds', y, min: 0, xMin: 0, xMax: seconds }), `${title} by time`);
  const times: [string, Percentiles | undefined][] = [
    ['client: due to last byte', run.latency],
    ['client: late to send', send_delay],
    ...Object.entries(server).map(([name, stage]): [string, Percentiles] => [`server: ${name}`, stage]),
  ];
  const counts = [
    ...Object.entries(run.statuses).map(([status, count]) => [`status ${status}`, count]),
    ...Object.entries(run.errors),
  ];
  const waited = `${run.capped} requests waited at the client: ${run.in_flight_max} were in flight.`;
  return [
    beside(
      table(
        ['time', 'p50 ms', 'p90 ms', 'p99 ms', 'p99.9 ms', 'max ms'],
        times.map(([name, figures]) => [name, ...latencyCells(figures)]),
      ),
      table(['outcome', 'requests'], counts),
    ),
    ...(run.capped > 0 ? [text(waited)] : []),
    ...(isClientBusy(run)
      ? [text(`The client kept ${run.client_cores.toFixed(2)} cores busy: it may be the limit.`)]
      : []),
    ...(run.interrupted ? [text(`Interrupted after ${figure(seconds)} s.`)] : []),
    beside(
      overTime('Throughput', 'answers/s', [{ name: 'answers', points: points('throughput') }]),
      overTime('Latency', 'ms', [
        { name: 'p50', points: points('p50_ms') },
        { name: 'p99', points: points('p99_ms') },
      ]),
    ),
    ...(use ? [text(processText(use)), beside(...processSeries(run).map((args) => overTime(...args)))] : []),
    ...(growth ? [text(growthText(growth))] : []),
  ];
}

function processText({ cpu_cores, rss_start_mb, rss_end_mb, rss_max_mb }: ProcessUse): string {
  const memory = `${figure(rss_start_mb)} MB at first, ${figure(rss_end_mb)} MB at last, ${figure(rss_max_mb)} MB at most`;
  return `Server: ${cpu_cores.toFixed(2)} cores; memory ${memory}.`;
}

function growthText({ share, mb_per_hour, start_mb, end_mb }: MemoryGrowth): string {
  const range = `from ${figure(start_mb)} to ${figure(end_mb)} MB`;
  return `Trend of memory (Theil–Sen): ${range}, ${(100 * share).toFixed(2)} %, ${mb_per_hour.toFixed(2)} MB an hour.`;
}

function processSeries({ process: use, growth }: RunResult): [title: string, y: string, series: LineSeries[]][] {
  const series = (name: string, key: 'cpu_cores' | 'rss_mb'): LineSeries => ({
    name,
    points: (use?.samples ?? []).map((sample) => [sample.at_s, sample[key]] as const),
  });
  const ends =
    growth && ([[growth.start_s, growth.start_mb] as const, [growth.end_s, growth.end_mb] as const] as const);
  return [
    ['CPU of the server', 'cores', [series('CPU', 'cpu_cores')]],
    ['Memory of the server', 'MB', [series('memory', 'rss_mb'), ...(ends ? [{ name: 'trend', points: ends }] : [])]],
  ];
}

function latencyCells(latency: Percentiles | undefined): string[] {
  if (!latency) return new Array<string>(5).fill('–');
  const { p50_ms, p90_ms, p99_ms, p999_ms, max_ms } = latency;
  return [p50_ms, p90_ms, p99_ms, p999_ms, max_ms].map((ms) => ms.toFixed(2));
}

function figure(value: number): string {
  return value.toFixed(1);
}
