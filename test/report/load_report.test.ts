import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadReport } from '../../src/report/load_report.js';
import { loadResult, runResult } from '../loadtest/results.js';

const test = suite('load report');

const charts = (html: string) => html.match(/<svg/g)?.length ?? 0;

test('a sweep: curves over the load and of every run, server times, process, comparison', async () => {
  const first = runResult({ mode: 'closed', concurrency: 1 }, 50, 12.345);
  const use = { cpu_cores: 1.5, rss_start_mb: 100, rss_end_mb: 101, rss_max_mb: 102, samples: [] };
  const second = { ...runResult({ mode: 'closed', concurrency: 4 }, 80, 40), process: use, steady: false };
  second.server = { total: { ...(first.latency as NonNullable<typeof first.latency>), p50_ms: 6.78 } };
  const html = await loadReport(loadResult([first, second]), [{ name: 'closed, 1 in flight', throughput: 1.111 }]);
  // Throughput and latency over the load, percentiles; throughput and latency of both; CPU and memory of one.
  assert.is(charts(html), 3 + 2 * 2 + 2);
  for (const text of ['12.35', 'server: total', '6.78', '1.50 cores', '102.0 MB at most', '1.111']) {
    assert.match(html, text);
  }
  assert.not.match(html, /NaN|undefined|Infinity/);
});

test('a search tells its rate; a run without an answer has a report too', async () => {
  const run = runResult({ mode: 'open', rate: 30, arrivals: 'poisson', max_in_flight: 2 }, 0, 1);
  const dead = {
    ...run,
    latency: undefined,
    distribution: [],
    windows: [],
    statuses: {},
    errors: { '<ECONNREFUSED>': 9 },
    capped: 5,
  };
  const html = await loadReport({ ...loadResult([dead]), slo: { p99_ms: 100, rate: 27.5 } });
  assert.match(html, '27.5/s');
  assert.match(html, '5 requests waited');
  assert.match(html, '&lt;ECONNREFUSED&gt;');
  assert.not.match(html, /NaN|undefined|Infinity/);
});

test.run();
