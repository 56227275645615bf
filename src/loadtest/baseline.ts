import { z } from 'zod';
import { UserError } from '../base/errors.js';
import { readJson } from '../base/files.js';
import { BODIES } from './payload.js';
import { type Load, type LoadTestResult, loadName, type RunResult } from './result.js';

/** This run's figures divided by the baseline's: throughput above 1 is better, latency below 1. */
export interface Comparison {
  name: string;
  throughput: number;
  /** Absent if either has no 2xx answer. */
  p50?: number;
  p99?: number;
}

/** The fields of a result that a comparison reads. */
const BASELINE = z.looseObject({
  format: z.literal(1),
  mode: z.enum(['closed', 'open', 'sweep', 'slo', 'soak']),
  body: z.enum(BODIES),
  images_sha256: z.string(),
  runs: z.array(
    z.looseObject({
      load: z.discriminatedUnion('mode', [
        z.looseObject({ mode: z.literal('closed'), concurrency: z.number() }),
        z.looseObject({ mode: z.literal('open'), rate: z.number(), arrivals: z.string() }),
      ]),
      goodput: z.number(),
    }),
  ),
  slo: z.looseObject({ p99_ms: z.number(), rate: z.number() }).optional(),
});

/** @throws UserError if the file is not the result of a load test */
export async function readBaseline(path: string): Promise<LoadTestResult> {
  const content = await readJson(path);
  const { success, error } = BASELINE.safeParse(content);
  if (success) return content as LoadTestResult;
  const { path: field, message } = error.issues[0];
  throw new UserError({
    where: path,
    field: field.join('.'),
    expected: "a load test's result.json, or load.json of model-test",
    reason: message,
    hint: 'Measure the baseline again with this version.',
  });
}

/** The test to be run: the loads of its runs, or the limit of a search. */
export type Plan = Pick<LoadTestResult, 'mode' | 'body' | 'images_sha256'> & { loads: Load[]; p99_ms?: number };

/**
 * Refuses a baseline that cannot be compared with the planned test: another kind of test, another form of request, or
 * no answered run with the same load. Returns notices about differences that still allow a comparison.
 *
 * @throws UserError that names both
 */
export function checkBaseline(path: string, baseline: LoadTestResult, plan: Plan): string[] {
  const refuse = (expected: string, received: string) => {
    const hint = 'Compare with a result of the same load, or measure one.';
    return new UserError({ where: path, expected: `a baseline of ${expected}`, received, hint });
  };
  if (baseline.body !== plan.body) throw refuse(`requests with a ${plan.body} body`, `a ${baseline.body} body`);
  const [kind, other] = [plan, baseline].map(({ mode }) => (mode === 'slo' || mode === 'soak' ? mode : 'runs'));
  if (kind !== other) throw refuse(`mode ${plan.mode}`, `mode ${baseline.mode}`);
  if (plan.mode === 'slo') {
    const before = baseline.slo;
    if (before?.p99_ms !== plan.p99_ms) throw refuse(`p99 < ${plan.p99_ms} ms`, `p99 < ${before?.p99_ms} ms`);
    if (!(before && before.rate > 0)) throw refuse('a rate that was reached', 'none');
  } else {
    const runs = new Map(baseline.runs.map((run) => [loadName(run.load), run]));
    for (const load of plan.loads) {
      const before = runs.get(loadName(load));
      if (!before) throw refuse(loadName(load), [...runs.keys()].join(', '));
      if (!(before.goodput > 0)) throw refuse(`${loadName(load)} that was answered`, 'no answer of status 2xx');
    }
  }
  const same = baseline.images_sha256 === plan.images_sha256;
  return same ? [] : [`${path} was measured with other images`];
}

/** Ratios of runs with the same load, without those that the baseline lacks. The rate of a search counts as a run. */
export function compareRuns(result: LoadTestResult, baseline: LoadTestResult): Comparison[] {
  const searched =
    result.slo && baseline.slo && result.slo.p99_ms === baseline.slo.p99_ms && baseline.slo.rate > 0
      ? [{ name: `p99 < ${result.slo.p99_ms} ms`, throughput: result.slo.rate / baseline.slo.rate }]
      : [];
  const before = new Map(baseline.runs.map((run) => [loadName(run.load), run]));
  const runs = result.runs.flatMap((run) => {
    const name = loadName(run.load);
    const other = before.get(name);
    return other ? [{ name, ...ratios(run, other) }] : [];
  });
  return [...runs, ...searched];
}

/** The comparisons in which throughput or p99 is worse by more than the fraction `gate`: 0.1 tolerates 10 %. */
export function missedGate(comparisons: readonly Comparison[], gate: number): Comparison[] {
  return comparisons.filter(({ throughput, p99 = 1 }) => throughput < 1 - gate || p99 > 1 + gate);
}

function ratios(run: RunResult, before: RunResult): Omit<Comparison, 'name'> {
  const [now, then] = [run.latency, before.latency];
  return {
    throughput: before.goodput > 0 ? run.goodput / before.goodput : Number.POSITIVE_INFINITY,
    p50: now && then && now.p50_ms / then.p50_ms,
    p99: now && then && now.p99_ms / then.p99_ms,
  };
}
