import { join } from 'node:path';
import { UserError } from '../base/errors.js';
import { writeAtomic, writeJson } from '../base/files.js';
import { log } from '../base/progress.js';
import type { Config } from '../config/schema.js';
import { failuresOf } from '../loadtest/result.js';
import { closedLoop } from '../loadtest/run.js';
import type { Answer, AnswerAnnotation } from '../serve/http/answer.js';
import { withServer } from './child.js';
import { compareAnswers, type Tolerance } from './compare_answers.js';
import type { StepContext } from './step.js';

/** A request without an answer for so long is an error. */
const TIMEOUT_S = 30;

/** A closed loop of the test picture. */
interface LoadFigures {
  requests: number;
  seconds: number;
  /** Requests answered a second. */
  throughput: number;
  /** Latencies of 2xx answers in milliseconds, to 0.1 %; 0 when there were none. */
  p50_ms: number;
  p90_ms: number;
  p99_ms: number;
  max_ms: number;
  /** Requests without an answer: refused and broken connections, timeouts. */
  errors: number;
  /** Answers outside 200–299. */
  non2xx: number;
}

export interface ModelTestOutputs extends LoadFigures {
  /** Objects of the reference answer, how many of them were answered, and objects answered too much. */
  reference: number;
  matched: number;
  missing: number;
  extra: number;
  /** Of the server after SIGTERM: 0 when it shut down in order, null when it had to be killed. */
  exit_code: number | null;
  /** What is wrong, one line each; empty when the test is passed. */
  failures: string[];
}

/**
 * Starts the real server on a free port, compares its answer for the bundle's test image with the reference, puts it
 * under load, and stops it. Writes result.json and result.txt.
 * @throws UserError, after writing, when objects differ, a request failed, or the server did not stop in order
 */
export async function modelTest(
  { bundle }: { bundle: string },
  { config, dir }: StepContext,
): Promise<ModelTestOutputs> {
  const settings = Object.entries({ ...config.serve, host: '127.0.0.1', port: 0 });
  const flags = settings.flatMap(([key, value]) => [`--serve.${key}`, String(value)]);
  const { result, exitCode } = await withServer([bundle, ...flags], async (url) => {
    log(`model-test: the server is ready on ${url}`);
    const comparison = await compareWithReference(url, config.test);
    return { ...comparison, load: await loadTest(`${url}/predict`, comparison.image, config.test) };
  });
  const { reference, matched, missing, extra, load } = result;
  const failures = [
    ...missing.map((object) => `missing: ${describe(object)}`),
    ...extra.map((object) => `not in the reference: ${describe(object)}`),
    ...(load.throughput === 0 ? ['no request was answered under load'] : []),
    ...(load.errors > 0 ? [`${load.errors} requests without an answer under load`] : []),
    ...(load.non2xx > 0 ? [`${load.non2xx} answers outside 2xx under load`] : []),
    ...(exitCode === 0 ? [] : [`exit code ${exitCode} of the server, not 0`]),
  ];
  const outputs: ModelTestOutputs = {
    reference,
    matched,
    missing: missing.length,
    extra: extra.length,
    ...load,
    exit_code: exitCode,
    failures,
  };
  await writeJson(join(dir, 'result.json'), outputs);
  await writeAtomic(join(dir, 'result.txt'), report(outputs));
  if (failures.length > 0) throw failed(bundle, failures);
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

async function loadTest(url: string, image: Buffer, options: Config['test']): Promise<LoadFigures> {
  const { connections: concurrency, ...times } = options;
  const payloads = [{ data: image, type: 'image/jpeg' }];
  const run = await closedLoop({ url, payloads, timeoutSeconds: TIMEOUT_S }, { concurrency, ...times });
  const { p50_ms = 0, p90_ms = 0, p99_ms = 0, max_ms = 0 } = run.latency ?? {};
  const { requests, seconds, throughput } = run;
  const errors = failuresOf({ statuses: {}, errors: run.errors });
  return { requests, seconds, throughput, p50_ms, p90_ms, p99_ms, max_ms, errors, non2xx: failuresOf(run) - errors };
}

async function get(url: string, init?: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  if (response.ok) return response;
  throw new UserError({ where: url, expected: 'status 200', received: `${response.status}: ${await response.text()}` });
}

function describe({ category_id, score, bbox }: AnswerAnnotation): string {
  return `category ${category_id}, score ${score.toFixed(4)}, box ${bbox.map((side) => side.toFixed(2)).join(' ')}`;
}

function report(result: ModelTestOutputs): string {
  const ms = (value: number) => `${value.toFixed(2)} ms`;
  return `${[
    `result      ${result.failures.length === 0 ? 'passed' : 'FAILED'}`,
    `objects     ${result.matched} of ${result.reference} matched, ${result.extra} extra`,
    `throughput  ${result.throughput.toFixed(1)} requests/s (${result.requests} in ${result.seconds.toFixed(1)} s)`,
    `latency     p50 ${ms(result.p50_ms)}, p90 ${ms(result.p90_ms)}, p99 ${ms(result.p99_ms)}, max ${ms(result.max_ms)}`,
    `errors      ${result.errors} without an answer, ${result.non2xx} outside 2xx`,
    ...result.failures,
  ].join('\n')}\n`;
}

function failed(bundle: string, failures: readonly string[]): UserError {
  return new UserError({
    where: bundle,
    expected: 'a service that answers its test image as the reference does, and every request under load',
    received: `${failures.length} failures`,
    hint: failures.slice(0, 10).join('\n'),
  });
}
