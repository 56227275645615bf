import { z } from 'zod';
import { UserError } from '../../base/errors.js';
import { log } from '../../base/progress.js';
import { CONFIG_KEYS } from '../../config/keys.js';
import { text } from '../../config/schema.js';
import { summaryText } from '../../data/coco_eval/summary.js';
import { describePart, evaluateOnDataset } from '../../pipeline/evaluation/dataset_eval.js';
import { describeGate } from '../../pipeline/evaluation/gate.js';
import { refuseTogether, refuseUnused } from '../checks.js';
import { defineCommand } from '../command.js';
import { DECODE_KEYS, PIPELINE_EPILOGUE, PIPELINE_FLAGS } from '../config_options.js';
import { printResult } from '../shared.js';
import { explain, runStepCommand } from './run.js';
import { toOpenOptions, weightsOptions } from './weights_options.js';

const { weights: _, ...shortFlags } = PIPELINE_FLAGS.short ?? {};

/** Options that need --weights or --bundle. */
const OWN = ['out', 'strict'];

/** Configuration keys that also apply with --weights or --bundle; all others belong to the pipeline. */
const SHARED = new Set([
  'config',
  ...['data.source', 'data.images', 'data.annotations', ...DECODE_KEYS],
  ...CONFIG_KEYS.filter((key) => key.startsWith('eval.')),
  'pack.agnostic',
]);

export const modelEvalCommand = defineCommand({
  command: 'model-eval',
  describe: 'Evaluate the bundle on the test split, or any weights or bundle on any COCO images',
  options: {
    bundle: text.optional().describe('Folder of a bundle'),
    weights: text.optional().describe('Weights: .safetensors, .pth or .onnx'),
    out: text
      .optional()
      .describe('Folder for report, metrics, detections and annotated images (with --weights or --bundle)'),
    strict: z.boolean().default(false).describe('Fail if part of the dataset is left out (with --weights or --bundle)'),
    force: z.boolean().default(false).describe('Run this step again even if it is finished'),
    explain,
    ...weightsOptions,
  },
  config: {
    ...PIPELINE_FLAGS,
    short: {
      ...shortFlags,
      confidence: ['eval.confidence', 'Lowest score that counts'],
      iou: ['eval.iou', 'IoU above which the lower-scoring of two boxes is suppressed'],
      'max-detections': ['eval.maxDetections', 'Most boxes kept per image'],
    },
  },
  examples: [
    ['model-eval --config quickstart', 'Run the pipeline up to evaluation'],
    [
      'model-eval --weights yolox_nano.onnx --images val2017 --annotations instances_val2017.json',
      'Evaluate weights without fine-tuning',
    ],
    [
      'model-eval --bundle DIR --images DIR --annotations FILE --eval.minMap50 0.5 --out report',
      'Evaluate a bundle with a gate and a report',
    ],
  ],
  epilogue: PIPELINE_EPILOGUE,
  async handler({ weights, bundle, out, strict, ...args }, { given, ...context }) {
    refuseTogether(given, ['bundle', 'weights']);
    if (weights === undefined && bundle === undefined) {
      refuseUnused(given, [...OWN, ...Object.keys(weightsOptions)], 'with --weights or --bundle');
      return runStepCommand('model-eval', await context.config(), args, given);
    }
    refusePipelineOptions(given);
    if (weights === undefined) refuseUnused(given, Object.keys(weightsOptions), 'with --weights');
    if (out === undefined) refuseUnused(given, ['eval.images'], 'with --out');
    const config = await context.config();
    const { images, annotations } = config.data;
    if (images === null || annotations === null) {
      throw new UserError({
        where: 'model-eval',
        expected: '--images DIR and --annotations FILE with --weights or --bundle',
      });
    }
    const model =
      weights === undefined ? { bundle: bundle as string } : { weights, options: await toOpenOptions(args) };
    const evaluation = await evaluateOnDataset({ model, images, annotations, config, out, strict });
    const notes = [...describeGate(evaluation.gate, evaluation), ...describePart(evaluation)];
    if (args.json) for (const note of notes) log(`model-eval: ${note}`);
    if (!evaluation.gate.passed) process.exitCode = 1;
    const report = evaluation.report === undefined ? [] : [`Report: ${evaluation.report}`];
    printResult(evaluation, [summaryText(evaluation), '', ...notes, ...report].join('\n').trimEnd(), args);
  },
});

/**
 * Refuses pipeline options, because --weights means the model to evaluate here but the initial weights in the pipeline.
 */
function refusePipelineOptions(given: ReadonlySet<string>): void {
  const own = new Set(['weights', 'bundle', 'force', 'explain', 'json', ...OWN, ...Object.keys(weightsOptions)]);
  const pipeline = ['force', 'explain', ...[...given].filter((name) => !own.has(name) && !SHARED.has(name))];
  const config = given.has('weights') ? ['config'] : [];
  refuseUnused(
    given,
    [...config, ...pipeline],
    'in the pipeline, where the weights to start from are --train.weights; ' +
      '--weights and --bundle evaluate a model as it is',
  );
}
