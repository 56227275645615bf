import { z } from 'zod';
import { UserError } from '../base/errors.js';
import { text, unit } from '../config/schema.js';
import { summarize, summaryText } from '../data/coco_eval/summary.js';
import { readCoco } from '../data/sources/coco.js';
import { evaluateDetector } from '../pipeline/evaluate.js';
import { matchCategories } from '../pipeline/match_categories.js';
import { refuseTogether } from './checks.js';
import { defineCommand } from './command.js';
import { PIPELINE_EPILOGUE, PIPELINE_FLAGS } from './config_options.js';
import { runStepCommand } from './run.js';
import { printResult } from './shared.js';
import { toOpenOptions, weightsOptions } from './weights_options.js';

const { short } = PIPELINE_FLAGS;
const { weights: _, ...shortFlags } = short ?? {};

export const modelEvalCommand = defineCommand({
  command: 'model-eval',
  describe: 'Evaluate the bundle on the test split, or any weights or bundle on any COCO pictures',
  options: {
    bundle: text.optional().describe('Folder of a packed model'),
    weights: text.optional().describe('Weights: .safetensors, .pth or .onnx'),
    confidence: unit.optional().describe('Lowest score that counts'),
    nms: unit.optional().describe('IoU above which the worse of two boxes is dropped'),
    maxDetections: z.int().positive().optional().describe('Best boxes kept of one picture'),
    force: z.boolean().default(false).describe('Do this step again even if it is finished'),
    ...weightsOptions,
  },
  config: { ...PIPELINE_FLAGS, short: shortFlags },
  examples: [
    ['model-eval --config quickstart', 'The pipeline up to its evaluation'],
    ['model-eval --weights yolox_nano.onnx --images val2017 --annotations instances_val2017.json', 'Zero-shot AP'],
  ],
  epilogue: PIPELINE_EPILOGUE,
  async handler(args, { given, ...context }) {
    refuseTogether(given, ['bundle', 'weights']);
    const config = await context.config();
    if (args.weights === undefined && args.bundle === undefined) return runStepCommand('model-eval', config, args);
    const { images, annotations } = config.data;
    if (images === null || annotations === null) {
      throw new UserError({
        where: 'model-eval',
        expected: '--images DIR and --annotations FILE with --weights or --bundle',
      });
    }
    const { dataset, pathOf } = await readCoco(images, annotations, { maxPixels: config.data.maxPixels });
    const detector = await openDetector(args);
    const { confidence, nms, maxDetections } = config.eval;
    const thresholds = {
      confidence: args.confidence ?? confidence,
      nms: args.nms ?? nms,
      maxDetections: args.maxDetections ?? maxDetections,
      agnostic: config.pack.agnostic,
    };
    const find = matchCategories(
      (picture) => detector.detect(picture, thresholds),
      detector.categories,
      dataset.categories,
    );
    const { evaluation, imagesPerSecond } = await evaluateDetector(find, dataset, pathOf, { fit: detector.size });
    await detector.close();
    const summary = summarize(evaluation);
    const result = { ...summary, images: dataset.images.length, images_per_second: imagesPerSecond, thresholds };
    printResult(result, summaryText(summary), args);
  },
});

/** TensorFlow is loaded only for weights. */
async function openDetector(args: { weights?: string; bundle?: string; size?: [number, number]; legacy?: boolean }) {
  if (args.weights !== undefined) {
    const { openWeightsDetector } = await import('../pipeline/weights_detector.js');
    return openWeightsDetector(args.weights, toOpenOptions(args));
  }
  const { readBundle } = await import('../serve/bundle.js');
  const { Detector } = await import('../serve/engine/detector.js');
  const bundle = await readBundle(args.bundle as string);
  const detector = await Detector.open(bundle);
  return {
    categories: bundle.categories,
    size: bundle.preprocess.size,
    detect: detector.detect.bind(detector),
    close: () => detector.close(),
  };
}
