import { dirname } from 'node:path';
import { readAhead } from '../../base/concurrency.js';
import { UserError } from '../../base/errors.js';
import { makeDir, writeAtomic } from '../../base/files.js';
import { log, startProgress } from '../../base/progress.js';
import { type Box, toBox } from '../../detect/box.js';
import type { CocoCategory } from '../../detect/coco.js';
import type { Detector } from '../../detect/detector.js';
import type { Detection, Thresholds } from '../../detect/nms.js';
import { classColor } from '../../image/colors.js';
import { type DecodeLimits, decodeImage } from '../../image/decode.js';
import type { Image } from '../../image/image.js';
import type { ImageInput } from './image_inputs.js';
import { type OutputPath, planOutputs } from './output_paths.js';

/** Result for one image: its objects, or an error. */
export type Prediction =
  | { image: string; width: number; height: number; detections: FoundObject[]; annotated?: string }
  | { image: string; error: string };

export interface FoundObject {
  category_id: number;
  category: string;
  score: number;
  bbox: Box;
}

export interface PredictOptions {
  /** Folder for annotated images. */
  out?: string;
  thresholds?: Partial<Thresholds>;
  /** Limits of the images. */
  limits?: DecodeLimits;
}

/** Images to decode ahead of the detector; more would only use memory. */
const READ_AHEAD = 4;

/** Most changed names listed individually. */
const MOST_TOLD = 5;

/**
 * Finds objects in images, in order. Reports an image that cannot be read or drawn, and continues with the others.
 *
 * @throws UserError if `out` is not a folder and cannot be created
 */
export async function predictImages(
  detector: Detector,
  images: readonly ImageInput[],
  { out, thresholds, limits }: PredictOptions = {},
): Promise<Prediction[]> {
  if (out === '') throw new UserError({ where: '--out', expected: 'a folder', received: out });
  if (out !== undefined) await makeDir(out);
  const outputs = out === undefined ? [] : await planOutputs(out, images);
  tellChanged(images, outputs);
  const progress = images.length > 1 ? startProgress('predict', images.length) : undefined;
  const predictions: Prediction[] = [];
  const load = ({ path }: ImageInput): Promise<Image | UserError> =>
    decodeImage(path, { ...limits, fit: detector.size }).catch(userErrorOf);
  try {
    for await (const [{ path }, image] of readAhead(images, READ_AHEAD, load)) {
      const output = outputs[predictions.length]?.path;
      const answer =
        image instanceof UserError
          ? image
          : await predictOne(detector, path, image, output, { thresholds, limits }).catch(userErrorOf);
      if (answer instanceof UserError) log(answer.message);
      predictions.push(answer instanceof UserError ? { image: path, error: answer.message } : answer);
      progress?.update(predictions.length);
    }
  } finally {
    progress?.stop();
  }
  return predictions;
}

async function predictOne(
  detector: Detector,
  path: string,
  image: Image,
  annotated: string | undefined,
  { thresholds, limits }: Pick<PredictOptions, 'thresholds' | 'limits'>,
): Promise<Prediction> {
  const { categories } = detector;
  const found = await detector.detect(image, thresholds);
  if (annotated !== undefined) {
    const whole = image.original ? await decodeImage(path, limits) : image;
    await draw(annotated, whole, found, categories);
  }
  const detections = found.map(({ box, score, classIndex }): FoundObject => {
    const { id, name } = categories[classIndex];
    return { category_id: id, category: name, score, bbox: toBox(box) };
  });
  const { width, height } = image.original ?? image;
  return { image: path, width, height, detections, annotated };
}

async function draw(
  file: string,
  image: Image,
  found: readonly Detection[],
  categories: readonly CocoCategory[],
): Promise<void> {
  const { annotate } = await import('../../image/draw.js');
  const boxes = found.map(({ box, classIndex, score }) => ({
    box,
    label: `${categories[classIndex].name} ${score.toFixed(2)}`,
    color: classColor(classIndex),
  }));
  await makeDir(dirname(file));
  await writeAtomic(file, await annotate(image, boxes));
}

/** Returns bad input as an error; throws everything else. */
function userErrorOf(error: unknown): UserError {
  if (error instanceof UserError) return error;
  throw error;
}

function tellChanged(images: readonly ImageInput[], outputs: readonly OutputPath[]): void {
  const changed = outputs.flatMap(({ path, changed }, i) =>
    changed ? [`${images[i].path}: drawn in ${path}, as ${changed}`] : [],
  );
  for (const line of changed.slice(0, MOST_TOLD)) log(line);
  if (changed.length > MOST_TOLD) log(`${changed.length - MOST_TOLD} more outputs are not named like their images`);
}
