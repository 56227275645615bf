import type { Config } from '../../config/schema.js';
import { Store } from '../../data/store.js';
import { type Done, STEPS } from '../steps.js';
import { shownSettings } from './counted.js';
import { nearestDifferences, reasonsToRun, settingChanges } from './explain.js';
import { makeJob } from './job.js';
import { readLineage, readLineages, verifyFiles } from './record.js';
import { readSources } from './sources.js';
import { STEP_NAMES, type StepName } from './step.js';

/** What a run would do for a step, and why. */
export interface StepPlan {
  step: StepName;
  /**
   * `finished`: used as it is; `shown again`: only reported and judged again with other settings; `runs`; `depends`:
   * runs if an earlier step that runs gives a different result.
   */
  state: 'finished' | 'shown again' | 'runs' | 'depends';
  reasons: string[];
  /** The step's folder; null if it depends on a step that has not run. */
  dir: string | null;
}

/**
 * Says for each step up to `target` what `runPipeline` would do and why, without downloading, running or locking
 * anything.
 * @throws UserError if an input is missing or a finished step is damaged
 */
export async function planPipeline(config: Config, target: StepName): Promise<StepPlan[]> {
  const store = new Store(config.store);
  const done = {} as Done;
  const plans: StepPlan[] = [];
  for (const step of STEP_NAMES.slice(0, STEP_NAMES.indexOf(target) + 1)) {
    const sources = await readSources(step, config, store, { fetch: false });
    const before = plans.findLast(({ state }) => state === 'runs' || state === 'depends');
    if (before) {
      const job = makeJob(step, config, store, sources, {});
      const earlier = await readLineages(job.parent, step);
      const reasons = nearestDifferences(
        job,
        earlier.map((lineage) => ({ ...lineage, inputs: {} })),
      );
      const depends = reasons?.length === 0;
      plans.push({
        step,
        state: depends ? 'depends' : 'runs',
        reasons: depends ? [`on the result of ${before.step}`] : (reasons ?? []),
        dir: null,
      });
      continue;
    }
    const job = makeJob(step, config, store, sources, await STEPS[step].inputs(done, config));
    const { dir } = job;
    const lineage = await readLineage(dir, step);
    if (!lineage) {
      plans.push({ step, state: 'runs', reasons: await reasonsToRun(job), dir });
      continue;
    }
    await verifyFiles(dir, lineage);
    Object.assign(done, { [step]: lineage });
    const changes = settingChanges(lineage.shown, shownSettings(step, config));
    plans.push({ step, state: changes.length > 0 ? 'shown again' : 'finished', reasons: changes, dir });
  }
  await store.saveHashes().catch(() => undefined);
  return plans;
}

/** Formats the plan for people, one line per step. */
export function planText(plans: readonly StepPlan[]): string {
  const width = Math.max(...plans.map(({ step }) => step.length));
  return plans
    .map(({ step, state, reasons, dir }) => {
      const why = reasons.length > 0 ? `: ${reasons.join('; ')}` : state === 'runs' ? ': no earlier outputs' : '';
      return `${step.padEnd(width)}  ${state}${why}${state === 'finished' ? `, ${dir}` : ''}`;
    })
    .join('\n');
}
