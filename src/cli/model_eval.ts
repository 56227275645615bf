import type { CommandModule } from 'yargs';
import { UserError } from '../base/errors.js';
import { summarize, summaryText } from '../data/coco_eval/summary.js';
import { readCoco } from '../data/sources/coco.js';
import { evaluateDetector } from '../pipeline/evaluate.js';
import { matchCategories } from '../pipeline/match_categories.js';
import { configFrom, configOptions } from './config_options.js';
import { runStepCommand } from './run.js';
import { jsonOption, printResult } from './shared.js';
import { toOpenOptions, weightsOptions } from './weights_options.js';

interface EvalArgs {
  config?: string;
  weights?: string;
  bundle?: string;
  images?: string;
  annotations?: string;
  confidence?: number;
  nms?: number;
  maxDetections?: number;
  size?: number[];
  legacy?: boolean;
  force: boolean;
  json: boolean;
}

export const modelEvalCommand: CommandModule<object, EvalArgs> = {
  command: 'model-eval',
  describe: 'Evaluate the bundle on the test split, or any weights or bundle on any COCO pictures',
  builder: (yargs) =>
    weightsOptions(jsonOption(configOptions(yargs)))
      .option('bundle', { type: 'string', describe: 'Folder of a packed model' })
      .option('confidence', { type: 'number', describe: 'Lowest score that counts' })
      .option('nms', { type: 'number', describe: 'IoU above which the worse of two boxes is dropped' })
      .option('max-detections', { type: 'number', describe: 'Best boxes kept of one picture' })
      .option('force', { type: 'boolean', default: false, describe: 'Do this step again even if it is finished' })
      .conflicts('bundle', 'weights')
      .example('$0 model-eval --config quickstart', 'The pipeline up to its evaluation')
      .example(
        '$0 model-eval --weights yolox_nano.onnx --images val2017 --annotations instances_val2017.json',
        'Zero-shot AP',
      ) as never,
  async handler(args) {
    const config = await configFrom({ ...args, weights: undefined });
    if (args.weights === undefined && args.bundle === undefined) return runStepCommand('model-eval', config, args);
    if (args.images === undefined || args.annotations === undefined) {
      throw new UserError({
        where: 'model-eval',
        expected: '--images DIR and --annotations FILE with --weights or --bundle',
      });
    }
    const { dataset, pathOf } = await readCoco(args.images, args.annotations, { maxPixels: config.data.maxPixels });
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
};

/** TensorFlow is loaded only for weights. */
async function openDetector(args: EvalArgs) {
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
