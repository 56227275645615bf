import { z } from 'zod';
import { log } from '../base/progress.js';
import type { Config } from '../config/schema.js';
import type { Figure } from '../data/coco_eval/accumulate.js';
import { formatFigure } from '../data/coco_eval/summary.js';
import { describeGate } from '../pipeline/gate.js';
import type { RunOutputs } from '../pipeline/runner.js';
import { STEP_DESCRIPTIONS, STEP_NAMES, type StepName } from '../pipeline/step.js';
import type { Outputs } from '../pipeline/steps.js';
import { defineCommand } from './command.js';
import { PIPELINE_EPILOGUE, PIPELINE_FLAGS } from './config_options.js';
import { printResult } from './shared.js';

const force = z.boolean().default(false);

/** All six steps. */
export const runCommand = defineCommand({
  command: 'run',
  describe: 'Run all six steps, from pictures to a tested service',
  options: { force: force.describe('Do the last step again even if it is finished') },
  config: PIPELINE_FLAGS,
  examples: [
    ['run --config quickstart', 'The built-in pictures'],
    ['run --config coco-finetune --images DIR --annotations FILE --weights yolox_nano.onnx', 'Fine-tune on COCO'],
  ],
  epilogue: PIPELINE_EPILOGUE,
  async handler(args, context) {
    // Set by a caller that did something before, such as set-up, which counts.
    const started = Number(process.env.YOLOX_STARTED_AT) || Date.now();
    const config = await context.config();
    const { runPipeline } = await importRunner(config);
    const outputs = (await runPipeline(config, 'model-test', args)) as Outputs;
    failOn(outputs);
    const seconds = Math.round((Date.now() - started) / 1000);
    const summary = summarize(outputs, seconds);
    const text = summaryText(outputs, summary, config);
    // With --json the object ends stdout, and people still get their summary.
    if (args.json) log(text);
    printResult(summary, text, args);
  },
});

/** `data-load`, … `model-test`: the pipeline up to one step; what is finished is not done again. */
export const stepCommands = STEP_NAMES.filter((name) => name !== 'model-eval').map((name) =>
  defineCommand({
    command: name,
    describe: STEP_DESCRIPTIONS[name],
    options: { force: force.describe('Do this step again even if it is finished') },
    config: PIPELINE_FLAGS,
    examples: [[`${name} --config quickstart`, STEP_DESCRIPTIONS[name]]],
    epilogue: PIPELINE_EPILOGUE,
    async handler(args, context) {
      await runStepCommand(name, await context.config(), args);
    },
  }),
);

/** Runs up to a step and prints its outputs. */
export async function runStepCommand(
  name: StepName,
  config: Config,
  args: { force?: boolean; json?: boolean },
): Promise<void> {
  const { runPipeline } = await importRunner(config);
  const outputs = await runPipeline(config, name, args);
  failOn(outputs);
  printResult(outputs[name] as object, JSON.stringify(outputs[name], null, 2), args);
}

/** TensorFlow is loaded with the runner, and reads its number of threads once. */
function importRunner({ train }: Config) {
  if (train.threads > 0) process.env.TF_NUM_INTRAOP_THREADS ??= String(train.threads);
  return import('../pipeline/runner.js');
}

/** Exit code 1 for a missed quality gate: there is a report to look at, so it isn't an error. */
function failOn(outputs: RunOutputs): void {
  const evaluation = outputs['model-eval'];
  if (!evaluation || evaluation.gate.passed) return;
  for (const sentence of describeGate(evaluation.gate, evaluation)) log(`model-eval: ${sentence}`);
  process.exitCode = 1;
}

function summarize(outputs: Outputs, seconds: number) {
  const evaluation = outputs['model-eval'];
  const test = outputs['model-test'];
  return {
    map50: evaluation.map50,
    map: evaluation.map,
    before: evaluation.before,
    images_per_second: outputs['model-train'].images_per_second,
    p50_ms: test.p50_ms,
    p99_ms: test.p99_ms,
    report: evaluation.report,
    bundle: outputs['model-pack'].bundle,
    seconds,
  };
}

function summaryText(outputs: Outputs, summary: ReturnType<typeof summarize>, config: Config): string {
  const { gate, before, pictures, images } = outputs['model-eval'];
  const { throughput, p90_ms } = outputs['model-test'];
  const { connections } = config.test;
  const gateText = gate.minMap50 === null ? '' : `  gate ≥ ${gate.minMap50}: ${gate.passed ? 'passed' : 'MISSED'}`;
  const was = (figure: Figure | undefined) =>
    figure === undefined ? '' : `, ${formatFigure(figure, 4)} ${before?.label}`;
  return `
  mAP            ${formatFigure(summary.map, 4)}  (IoU .50:.95, ${images} test pictures${was(before?.map)})
  mAP@.5         ${formatFigure(summary.map50, 4)}${was(before?.map50)}${gateText}
  training       ${summary.images_per_second.toFixed(1)} images/s
  service        ${throughput.toFixed(1)} requests/s with ${connections} client${connections === 1 ? '' : 's'}; p50 ${summary.p50_ms} ms, p90 ${p90_ms} ms, p99 ${summary.p99_ms} ms
  data report    ${outputs['data-prep'].report}
  training       ${outputs['model-train'].report}
  evaluation     ${summary.report}
  pictures       ${pictures}
  total time     ${summary.seconds} s

  Serve it:      npx yolox serve ${summary.bundle}
`;
}
