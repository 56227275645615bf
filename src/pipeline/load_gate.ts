import { CheckError } from '../base/errors.js';
import { readJson } from '../base/files.js';
import { type Comparison, compareRuns, missedGate, readBaseline } from '../loadtest/baseline.js';
import { describeComparison } from '../loadtest/describe.js';
import type { LoadTestResult } from '../loadtest/result.js';
import type { ModelTestOutputs } from './model_test.js';
import type { StepContext } from './step.js';

/** What a load's comparison with its baseline misses of the gate `test.gate`, one line each; null is no gate. */
export function gateFailures(comparisons: readonly Comparison[], gate: number | null): string[] {
  if (gate === null) return [];
  return missedGate(comparisons, gate).map(
    (comparison) => `worse than the gate allows: ${describeComparison(comparison)}`,
  );
}

/** Judges a finished model-test by the gate of now. @throws CheckError when it is missed, as model-test does */
export async function judgeAgain(outputs: ModelTestOutputs, { config }: StepContext): Promise<ModelTestOutputs> {
  const { baseline, gate } = config.test;
  if (baseline === null || gate === null) return outputs;
  const load = await readJson<LoadTestResult>(outputs.load);
  const failures = gateFailures(compareRuns(load, await readBaseline(baseline)), gate);
  if (failures.length > 0) throw failed(outputs.load, failures);
  return outputs;
}

export function failed(where: string, failures: readonly string[]): CheckError {
  return new CheckError({
    where,
    expected: 'a service that answers its test image as the reference does, and every request under load',
    received: `${failures.length} failures`,
    hint: failures.slice(0, 10).join('\n'),
  });
}
