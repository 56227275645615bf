import { z } from 'zod';
import { log } from '../../base/progress.js';
import { text, unit } from '../../config/schema.js';
import { openDetector } from '../../pipeline/open_detector.js';
import { findImages } from '../../pipeline/predict/image_inputs.js';
import { type Prediction, predictImages } from '../../pipeline/predict/index.js';
import { refuseUnused, requireOneOf } from '../checks.js';
import { defineCommand } from '../command.js';
import { DECODE_KEYS } from '../config_options.js';
import { printResult } from '../shared.js';
import { toOpenOptions, weightsOptions } from './weights_options.js';

export const predictCommand = defineCommand({
  command: 'predict <images..>',
  describe: 'Find objects in images',
  options: {
    images: z
      .array(text)
      .min(1)
      .describe(
        'Image files, folders, quoted globs, or @FILE: a list of paths, one per line, relative to the working folder',
      ),
    bundle: text.optional().describe('Folder of a bundle'),
    weights: text.optional().describe('Weights: .safetensors, .pth or .onnx'),
    out: text.optional().describe('Folder for annotated images; only files of an earlier run are replaced'),
    confidence: unit.optional().describe('Lowest score shown'),
    iou: unit.optional().describe('IoU above which the lower-scoring of two boxes is suppressed'),
    ...weightsOptions,
  },
  config: { keys: DECODE_KEYS },
  examples: [
    ['predict --bundle out/bundle photo.jpg --out found', 'Draw what a bundle finds'],
    ['predict --bundle out/bundle photos --out found', 'Search a folder and its subfolders'],
    ["predict --weights yolox_nano.onnx 'photos/**/*.jpg' --json", 'Print detections as JSON'],
  ],
  epilogue: `These configuration keys limit the images: ${DECODE_KEYS.map((key) => `--${key}`).join(', ')}.`,
  async handler({ images: paths, weights, bundle, out, confidence, iou, json, ...flags }, { given, config }) {
    requireOneOf(given, ['bundle', 'weights']);
    if (weights === undefined) refuseUnused(given, Object.keys(weightsOptions), 'with --weights');
    const { maxPixels, decodeTimeout } = (await config()).data;
    const { images, skipped } = await findImages(paths, out);
    for (const { count, reason, first } of skipped) log(`skipped ${count} ${reason}, the first ${first}`);
    const source =
      weights === undefined ? { bundle: bundle as string } : { weights, options: await toOpenOptions(flags) };
    const detector = await openDetector(source);
    const thresholds = { ...(confidence !== undefined && { confidence }), ...(iou !== undefined && { iou }) };
    const options = { out, thresholds, limits: { maxPixels, decodeTimeout } };
    const predictions = await predictImages(detector, images, options).finally(() => detector.close());
    const failed = predictions.filter((prediction) => 'error' in prediction).length;
    if (failed > 0) process.exitCode = 2;
    printResult({ images: predictions, failed, skipped }, predictions.map(describe).join('\n'), { json });
  },
});

function describe(prediction: Prediction): string {
  if ('error' in prediction) return `${prediction.image}: failed`;
  const { image, detections, annotated } = prediction;
  const lines = detections.map(
    ({ category, score, bbox }) =>
      `  ${category} ${score.toFixed(2)} at ${bbox.map((side) => side.toFixed(1)).join(' ')}`,
  );
  return [`${image}: ${detections.length} objects${annotated ? `, drawn in ${annotated}` : ''}`, ...lines].join('\n');
}
