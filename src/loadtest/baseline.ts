import { z } from 'zod';
import { UserError } from '../base/errors.js';
import { readJson } from '../base/files.js';
import { type LoadTestResult, loadName, type RunResult } from './result.js';

/** This run's figures over the baseline's: throughput above 1 is better, latency below 1 is. */
export interface Comparison {
  name: string;
  throughput: number;
  /** Absent when one of the two has no 2xx answer. */
  p50?: number;
  p99?: number;
}

/** What a comparison reads of a result. */
const BASELINE = z.object({
  format: z.literal(1),
  runs: z.array(z.looseObject({ load: z.looseObject({ mode: z.enum(['closed', 'open']) }), goodput: z.number() })),
});

/** @throws UserError when the file is not a result of a load test */
export async function readBaseline(path: string): Promise<LoadTestResult> {
  const content = await readJson(path);
  const { success, error } = BASELINE.safeParse(content);
  if (success) return content as LoadTestResult;
  const { path: field, message } = error.issues[0];
  throw new UserError({
    where: path,
    field: field.join('.'),
    expected: "a load test's result.json",
    received: message,
  });
}

/** Ratios of the runs of the same load; those that the baseline lacks are left out. The rate of a search is a run too. */
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

/** The comparisons in which throughput or p99 is worse by more than a share `gate`: 0.1 lets 10 % pass. */
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
