import { z } from 'zod';
import { log } from '../../base/progress.js';
import type { Config } from '../../config/schema.js';
import { describeGate } from '../../pipeline/evaluation/gate.js';
import type { Outputs } from '../../pipeline/outputs.js';
import type { RunOutputs } from '../../pipeline/runner/run.js';
import { STEP_DESCRIPTIONS, STEP_NAMES, type StepName } from '../../pipeline/runner/step.js';
import { refuseTogether } from '../checks.js';
import { defineCommand } from '../command.js';
import { PIPELINE_EPILOGUE, PIPELINE_FLAGS } from '../config_options.js';
import { printResult } from '../shared.js';
import { runSummaryText, summarizeRun } from './run_summary.js';

const force = z.boolean().default(false);

/** Failures of model-test to print; its result lists all of them. */
const SHOWN_FAILURES = 10;

/** The flag that only explains what a run would do. */
export const explain = z.boolean().default(false).describe('Say which steps would run and why, without running them');

/** All six steps. */
export const runCommand = defineCommand({
  command: 'run',
  describe: 'Run all six steps, from images to a tested service',
  options: { force: force.describe('Run the last step again even if it is finished'), explain },
  config: PIPELINE_FLAGS,
  examples: [
    ['run --config quickstart', 'Train on the built-in images'],
    ['run --config coco-finetune --images DIR --annotations FILE --weights yolox_nano.onnx', 'Fine-tune on COCO'],
    ['run --config quickstart --eval.minMap50 0.6 --explain', 'Show what would run again and why'],
  ],
  epilogue: PIPELINE_EPILOGUE,
  async handler(args, context) {
    // A caller that did other work first, such as set-up, sets this so that its time counts too.
    const started = Number(process.env.YOLOX_STARTED_AT) || Date.now();
    const config = await context.config();
    if (args.explain) return explainSteps('model-test', config, args, context.given);
    const { runPipeline } = await importRunner(config);
    const outputs = (await runPipeline(config, 'model-test', args)) as Outputs;
    failOn(outputs);
    const seconds = Math.round((Date.now() - started) / 1000);
    const summary = summarizeRun(outputs, seconds);
    const text = runSummaryText(outputs, summary, config);
    // With --json the summary for people goes to stderr.
    if (args.json) log(text);
    printResult(summary, text, args);
  },
});

/** `data-load`, … `model-test`: each runs the pipeline up to one step and skips finished steps. */
export const stepCommands = STEP_NAMES.filter((name) => name !== 'model-eval').map((name) =>
  defineCommand({
    command: name,
    describe: STEP_DESCRIPTIONS[name],
    options: { force: force.describe('Run this step again even if it is finished'), explain },
    config: PIPELINE_FLAGS,
    examples: [[`${name} --config quickstart`, STEP_DESCRIPTIONS[name]]],
    epilogue: PIPELINE_EPILOGUE,
    async handler(args, context) {
      await runStepCommand(name, await context.config(), args, context.given);
    },
  }),
);

/** Runs the pipeline up to a step and prints its outputs; with `explain`, only says what would run. */
export async function runStepCommand(
  name: StepName,
  config: Config,
  args: { force?: boolean; explain?: boolean; json?: boolean },
  given: ReadonlySet<string>,
): Promise<void> {
  if (args.explain) return explainSteps(name, config, args, given);
  const { runPipeline } = await importRunner(config);
  const outputs = await runPipeline(config, name, args);
  failOn(outputs);
  printResult(outputs[name] as object, JSON.stringify(outputs[name], null, 2), args);
}

async function explainSteps(
  name: StepName,
  config: Config,
  args: { json?: boolean },
  given: ReadonlySet<string>,
): Promise<void> {
  refuseTogether(given, ['explain', 'force']);
  const { planPipeline, planText } = await import('../../pipeline/runner/plan.js');
  const steps = await planPipeline(config, name);
  printResult({ steps }, planText(steps), args);
}

/** Importing the runner loads TensorFlow, which reads its number of threads once. */
function importRunner({ train }: Config) {
  if (train.threads > 0) process.env.TF_NUM_INTRAOP_THREADS ??= String(train.threads);
  return import('../../pipeline/runner/run.js');
}

/** Sets exit code 1 for a missed gate or a failed test. It is no error, because there is a report to look at. */
function failOn({ 'model-eval': evaluation, 'model-test': test }: RunOutputs): void {
  const missed = evaluation && !evaluation.gate.passed ? describeGate(evaluation.gate, evaluation) : [];
  const failures = test?.failures ?? [];
  for (const sentence of missed) log(`model-eval: ${sentence}`);
  for (const failure of failures.slice(0, SHOWN_FAILURES)) log(`model-test: ${failure}`);
  if (failures.length > SHOWN_FAILURES) log(`model-test: ${failures.length} failures in total; see its result.txt`);
  if (missed.length + failures.length > 0) process.exitCode = 1;
}
