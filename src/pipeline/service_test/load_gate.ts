import { readJson } from '../../base/files.js';
import { type Comparison, compareRuns, missedGate, readBaseline } from '../../loadtest/baseline.js';
import { describeComparison } from '../../loadtest/describe.js';
import type { LoadTestResult } from '../../loadtest/result.js';
import type { ModelTestOutputs } from '../model_test.js';
import type { StepContext } from '../runner/step.js';

/** What a load's comparison with its baseline misses of the gate `test.gate`, one line each; null is no gate. */
export function gateFailures(comparisons: readonly Comparison[], gate: number | null): string[] {
  if (gate === null) return [];
  return missedGate(comparisons, gate).map(
    (comparison) => `worse than the gate allows: ${describeComparison(comparison)}`,
  );
}

/** Judges a finished model-test, which has passed, by the gate of now: its outputs with the failures there are. */
export async function judgeAgain(outputs: ModelTestOutputs, { config }: StepContext): Promise<ModelTestOutputs> {
  const { baseline, gate } = config.test;
  if (baseline === null || gate === null) return outputs;
  const load = await readJson<LoadTestResult>(outputs.load);
  return { ...outputs, failures: gateFailures(compareRuns(load, await readBaseline(baseline)), gate) };
}
