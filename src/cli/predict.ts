import { basename, dirname, extname, join } from 'node:path';
import { z } from 'zod';
import { UserError } from '../base/errors.js';
import { makeDir, writeAtomic } from '../base/files.js';
import { log } from '../base/progress.js';
import { text, unit } from '../config/schema.js';
import { palette } from '../data/classes.js';
import type { Box, CocoCategory } from '../data/coco.js';
import { decodePicture } from '../data/decode.js';
import type { Detection, Thresholds } from '../data/detections.js';
import type { Picture } from '../data/picture.js';
import { requireOneOf } from './checks.js';
import { defineCommand } from './command.js';
import { printResult } from './shared.js';
import { toOpenOptions, weightsOptions } from './weights_options.js';

interface PredictArgs {
  pictures: string[];
  weights?: string;
  bundle?: string;
  size?: [number, number];
  legacy?: boolean;
  out?: string;
  confidence?: number;
  nms?: number;
  json: boolean;
}

/** What finds objects, whatever it was opened from. */
interface Finder {
  detect(picture: Picture, thresholds?: Partial<Thresholds>): Promise<Detection[]>;
  categories: CocoCategory[];
  /** Height, width of its input. */
  size: readonly [number, number];
  close(): Promise<void>;
}

/** What became of one picture: its objects, or why it has none. */
type Prediction =
  | { picture: string; width: number; height: number; detections: FoundObject[]; annotated?: string }
  | { picture: string; error: string };

interface FoundObject {
  category_id: number;
  category: string;
  score: number;
  bbox: Box;
}

export const predictCommand = defineCommand({
  command: 'predict <pictures..>',
  describe: 'Find objects in pictures',
  options: {
    pictures: z.array(text).min(1).describe('Picture files'),
    bundle: text.optional().describe('Folder of a packed model'),
    weights: text.optional().describe('Weights: .safetensors, .pth or .onnx'),
    out: text.optional().describe('Folder for annotated pictures'),
    confidence: unit.optional().describe('Lowest score shown'),
    nms: unit.optional().describe('IoU above which the worse of two boxes is dropped'),
    ...weightsOptions,
  },
  examples: [
    ['predict --bundle out/bundle photo.jpg --out found', 'Draw what a packed model finds'],
    ['predict --weights yolox_nano.onnx *.jpg --json', 'Detections of many pictures as JSON'],
  ],
  async handler(args, { given }) {
    requireOneOf(given, ['bundle', 'weights']);
    await predict(args);
  },
});

async function predict(args: PredictArgs): Promise<void> {
  const finder = await openFinder(args);
  const predictions: Prediction[] = [];
  try {
    const files = outputFiles(args);
    for (const [i, picture] of args.pictures.entries())
      predictions.push(await predictOne(picture, finder, args, files?.[i]));
  } finally {
    await finder.close();
  }
  const failed = predictions.filter((prediction) => 'error' in prediction).length;
  if (failed > 0) process.exitCode = 2;
  printResult({ pictures: predictions, failed }, predictions.map(describe).join('\n'), args);
}

/** TensorFlow is loaded only for weights: a bundle runs without it. */
async function openFinder({ bundle, weights, ...flags }: PredictArgs): Promise<Finder> {
  if (weights !== undefined) {
    const { openWeightsDetector } = await import('../pipeline/weights_detector.js');
    return openWeightsDetector(weights, toOpenOptions(flags));
  }
  const { readBundle } = await import('../serve/bundle.js');
  const { Detector } = await import('../serve/engine/detector.js');
  const manifest = await readBundle(bundle ?? '');
  const detector = await Detector.open(manifest);
  return {
    categories: manifest.categories,
    size: manifest.preprocess.size,
    detect: (picture, thresholds) => detector.detect(picture, thresholds),
    close: () => detector.close(),
  };
}

/** Where each annotated picture goes; pictures of one name from several folders stay apart. */
function outputFiles({ pictures, out }: PredictArgs): string[] | undefined {
  if (out === undefined) return undefined;
  const times = new Map<string, number>();
  return pictures.map((path) => {
    const name = basename(path, extname(path));
    const nth = (times.get(name) ?? 0) + 1;
    times.set(name, nth);
    return join(out, `${name}${nth > 1 ? `-${nth}` : ''}.jpg`);
  });
}

async function predictOne(
  path: string,
  finder: Finder,
  { confidence, nms }: PredictArgs,
  annotated: string | undefined,
): Promise<Prediction> {
  try {
    const picture = await decodePicture(path, { fit: finder.size });
    const { width, height } = picture.original ?? picture;
    const thresholds = { ...(confidence !== undefined && { confidence }), ...(nms !== undefined && { nms }) };
    const found = await finder.detect(picture, thresholds);
    if (annotated !== undefined) {
      const whole = picture.original ? await decodePicture(path) : picture;
      await draw(annotated, whole, found, finder.categories);
    }
    const detections = found.map(({ box: [x1, y1, x2, y2], score, classIndex }): FoundObject => {
      const { id, name } = finder.categories[classIndex];
      return { category_id: id, category: name, score, bbox: [x1, y1, x2 - x1, y2 - y1] };
    });
    return { picture: path, width, height, detections, annotated };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    log(error.message);
    return { picture: path, error: error.message };
  }
}

async function draw(
  file: string,
  picture: Picture,
  found: readonly Detection[],
  categories: readonly CocoCategory[],
): Promise<void> {
  const { annotate } = await import('../report/annotate.js');
  const boxes = found.map(({ box, classIndex, score }) => ({
    box,
    label: `${categories[classIndex].name} ${score.toFixed(2)}`,
    color: palette(classIndex),
  }));
  await makeDir(dirname(file));
  await writeAtomic(file, await annotate(picture, boxes));
}

function describe(prediction: Prediction): string {
  if ('error' in prediction) return `${prediction.picture}: failed`;
  const { picture, detections, annotated } = prediction;
  const lines = detections.map(
    ({ category, score, bbox }) =>
      `  ${category} ${score.toFixed(2)} at ${bbox.map((side) => side.toFixed(1)).join(' ')}`,
  );
  return [`${picture}: ${detections.length} objects${annotated ? `, drawn in ${annotated}` : ''}`, ...lines].join('\n');
}
