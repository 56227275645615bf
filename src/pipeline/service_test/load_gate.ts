import { readJson } from '../../base/files.js';
import { type Comparison, compareRuns, missedGate, readBaseline } from '../../loadtest/baseline.js';
import { describeComparison } from '../../loadtest/describe.js';
import type { LoadTestResult } from '../../loadtest/result.js';
import type { StepContext } from '../runner/step.js';

/** Comparisons with the baseline that miss the gate `test.gate`, one line each; null sets no gate. */
export function gateFailures(comparisons: readonly Comparison[], gate: number | null): string[] {
  if (gate === null) return [];
  return missedGate(comparisons, gate).map(
    (comparison) => `worse than the gate allows: ${describeComparison(comparison)}`,
  );
}

/** Judges a passed model-test by the current gate. Returns its outputs with the failures. */
export async function judgeAgain<Outputs extends { load: string; failures: readonly string[] }>(
  outputs: Outputs,
  { config }: StepContext,
): Promise<Outputs> {
  const { baseline, gate } = config.test;
  if (baseline === null || gate === null) return outputs;
  const load = await readJson<LoadTestResult>(outputs.load);
  return { ...outputs, failures: gateFailures(compareRuns(load, await readBaseline(baseline)), gate) };
}
