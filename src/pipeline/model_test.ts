import { join } from 'node:path';
import { UserError } from '../base/errors.js';
import { writeAtomic, writeJson } from '../base/files.js';
import { log } from '../base/progress.js';
import type { Config } from '../config/schema.js';
import { formatFigure } from '../data/coco_eval/summary.js';
import { readBundle } from '../detect/bundle.js';
import { type Comparison, checkBaseline, compareRuns, type Plan, readBaseline } from '../loadtest/baseline.js';
import { describeComparison, describeRun } from '../loadtest/describe.js';
import { imagesHash } from '../loadtest/payload.js';
import { failuresOf, type LoadTestResult, loadName, type RunResult } from '../loadtest/result.js';
import { closedLoop } from '../loadtest/run.js';
import { loadReport } from '../report/load_report.js';
import type { Answer, AnswerAnnotation } from '../serve/http/answer.js';
import type { StepContext } from './runner/step.js';
import { type ServerProcess, withServer } from './service_test/child.js';
import { compareAnswers, type Tolerance } from './service_test/compare_answers.js';
import { gateFailures } from './service_test/load_gate.js';

/** A request without an answer after this time is an error. */
const TIMEOUT_S = 30;

/** Failure message if there is nothing to compare. */
const NOTHING_FOUND =
  'nothing to compare: the model finds no object in its test image. Train longer, lower pack.confidence, or ' +
  'pack with an image in which it finds something';

/** Figures for the test image, sent by `test.connections` clients that wait for each answer. */
interface LoadFigures {
  requests: number;
  seconds: number;
  /** Answers per second. */
  throughput: number;
  /** Latencies of 2xx answers in milliseconds, to 0.1 %; null if there were none. */
  p50_ms: number | null;
  p90_ms: number | null;
  p99_ms: number | null;
  max_ms: number | null;
  /** Requests without an answer: refused and broken connections, timeouts. */
  errors: number;
  /** Answers outside 200–299. */
  non2xx: number;
  /** Whether the throughputs of the last three tenths of the time are within 10 %. */
  steady: boolean;
  /** Cores used by the server's processes, and their peak memory; null if the run was too short. */
  cpu_cores: number | null;
  rss_max_mb: number | null;
}

export interface ModelTestOutputs extends LoadFigures {
  /** Number of objects in the reference answer, how many of them the service found, and additional objects it found. */
  reference: number;
  matched: number;
  missing: number;
  extra: number;
  /** Exit code of the server after SIGTERM: 0 after an orderly shutdown, null if it had to be killed. */
  exit_code: number | null;
  /** Every load in full, a baseline for later tests, and the page that shows them. */
  load: string;
  report: string;
  /** Failures, one line each; empty if the test passed. */
  failures: string[];
}

/**
 * Starts the real server on a free port, compares its answer for the bundle's test image with the reference, puts it
 * under load, compares that with a baseline, and stops it. Writes result.json, result.txt, load.json and report.html.
 * `failures` says if the reference has no object, objects differ, a request failed, the baseline's gate was missed, or
 * the server did not shut down properly.
 * @throws UserError if the baseline has another load
 */
export async function modelTest(
  { bundle }: { bundle: string },
  { config, dir }: StepContext,
): Promise<ModelTestOutputs> {
  const { baseline: baselineFile, gate } = config.test;
  const baseline = baselineFile === null ? undefined : await readBaseline(baselineFile);
  const { files: hashes, test: own } = await readBundle(bundle);
  const plan = planOf(hashes[own.image], config.test);
  if (baseline) {
    for (const notice of checkBaseline(baselineFile as string, baseline, plan)) log(`model-test: ${notice}`);
  }
  // No API keys: this server is only for this machine, and secrets do not belong on a command line.
  const settings = {
    host: '127.0.0.1',
    port: 0,
    apiKeys: [],
    apiKeysFile: null,
    openMetrics: false,
    adminToken: null,
    bundles: null,
  };
  const flags = Object.entries({ ...config.serve, ...settings }).flatMap(([key, value]) => [
    `--serve.${key}`,
    JSON.stringify(value),
  ]);
  const { result, exitCode } = await withServer([bundle, ...flags], async (server) => {
    log(`model-test: the server is ready on ${server.url}`);
    const compared = await compareWithReference(server.url, config.test);
    return { ...compared, load: await loadTest(server, compared.image, config.test, plan) };
  });
  const { reference, matched, missing, extra, load } = result;
  const comparisons = baseline ? compareRuns(load, baseline) : [];
  const failures = [
    ...(reference === 0 ? [NOTHING_FOUND] : []),
    ...missing.map((object) => `missing: ${describe(object)}`),
    ...extra.map((object) => `not in the reference: ${describe(object)}`),
    ...load.runs.flatMap(runFailures),
    ...gateFailures(comparisons, gate),
    ...(exitCode === 0 ? [] : [`exit code ${exitCode} of the server, not 0`]),
  ];
  const files = { load: join(dir, 'load.json'), report: join(dir, 'report.html') };
  const outputs: ModelTestOutputs = {
    reference,
    matched,
    missing: missing.length,
    extra: extra.length,
    ...figuresOf(load.runs[0]),
    exit_code: exitCode,
    ...files,
    failures,
  };
  await writeJson(files.load, load);
  await writeAtomic(files.report, await loadReport(load, comparisons));
  await writeJson(join(dir, 'result.json'), { ...outputs, load: 'load.json', report: 'report.html' });
  await writeAtomic(join(dir, 'result.txt'), report(outputs, load, comparisons));
  return outputs;
}

async function compareWithReference(url: string, tolerance: Tolerance) {
  const image = Buffer.from(await (await get(`${url}/test_data`)).arrayBuffer());
  const expected = (await (await get(`${url}/test_result`)).json()) as Answer;
  const body = { method: 'POST', body: image, headers: { 'content-type': 'image/jpeg' } };
  const received = (await (await get(`${url}/predict`, body)).json()) as Answer;
  return {
    image,
    reference: expected.annotations.length,
    ...compareAnswers(expected.annotations, received.annotations, tolerance),
  };
}

/** One run with `connections` clients, then one with each number of the sweep. */
function planOf(imageHash: string, { connections, sweep }: Config['test']): Plan {
  const loads = [...new Set([connections, ...sweep])].map((concurrency) => ({ mode: 'closed' as const, concurrency }));
  const mode = loads.length > 1 ? ('sweep' as const) : ('closed' as const);
  return { mode, body: 'raw', images_sha256: imagesHash([imageHash]), loads };
}

async function loadTest(
  { url, pid }: ServerProcess,
  image: Buffer,
  { seconds, warmupSeconds }: Config['test'],
  { loads, ...plan }: Plan,
): Promise<LoadTestResult> {
  const target = { url: `${url}/predict`, payloads: [{ data: image, type: 'image/jpeg' }], timeoutSeconds: TIMEOUT_S };
  const runs: RunResult[] = [];
  for (const load of loads) {
    if (load.mode === 'closed') runs.push(await closedLoop(target, { ...load, seconds, warmupSeconds, pid }));
  }
  return { format: 1, created: new Date().toISOString(), url: target.url, ...plan, images: 1, runs };
}

function figuresOf(run: RunResult): LoadFigures {
  const { requests, seconds, throughput, steady, latency, process: use } = run;
  const { p50_ms = null, p90_ms = null, p99_ms = null, max_ms = null } = latency ?? {};
  const errors = failuresOf({ statuses: {}, errors: run.errors });
  const non2xx = failuresOf(run) - errors;
  const { cpu_cores = null, rss_max_mb = null } = use ?? {};
  return {
    requests,
    seconds,
    throughput,
    p50_ms,
    p90_ms,
    p99_ms,
    max_ms,
    errors,
    non2xx,
    steady,
    cpu_cores,
    rss_max_mb,
  };
}

function runFailures(run: RunResult): string[] {
  const { throughput, errors, non2xx } = figuresOf(run);
  const name = loadName(run.load);
  return [
    ...(throughput === 0 ? [`${name}: no request was answered`] : []),
    ...(errors > 0 ? [`${name}: ${errors} requests without an answer`] : []),
    ...(non2xx > 0 ? [`${name}: ${non2xx} answers outside 2xx`] : []),
  ];
}

async function get(url: string, init?: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  if (response.ok) return response;
  throw new UserError({ where: url, expected: 'status 200', received: `${response.status}: ${await response.text()}` });
}

function describe({ category_id, score, bbox }: AnswerAnnotation): string {
  return `category ${category_id}, score ${score.toFixed(4)}, box ${bbox.map((side) => side.toFixed(2)).join(' ')}`;
}

function report(result: ModelTestOutputs, { runs }: LoadTestResult, comparisons: readonly Comparison[]): string {
  const ms = (value: number | null) => `${formatFigure(value, 2)} ms`;
  return `${[
    `result      ${result.failures.length === 0 ? 'passed' : 'FAILED'}`,
    `objects     ${result.matched} of ${result.reference} matched, ${result.extra} extra`,
    `throughput  ${result.throughput.toFixed(1)} requests/s (${result.requests} in ${result.seconds.toFixed(1)} s), ${result.steady ? 'steady' : 'not steady'}`,
    `latency     p50 ${ms(result.p50_ms)}, p90 ${ms(result.p90_ms)}, p99 ${ms(result.p99_ms)}, max ${ms(result.max_ms)}`,
    `errors      ${result.errors} without an answer, ${result.non2xx} outside 2xx`,
    `server      ${formatFigure(result.cpu_cores, 2)} cores, ${formatFigure(result.rss_max_mb, 0)} MB at most`,
    ...runs.slice(1).map((run) => `sweep       ${describeRun(run)}`),
    ...comparisons.map(describeComparison),
    ...result.failures,
  ].join('\n')}\n`;
}
