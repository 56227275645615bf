import { readAhead } from '../../base/concurrency.js';
import { UserError } from '../../base/errors.js';
import { startProgress } from '../../base/progress.js';
import { type CocoEvaluation, evaluateCoco } from '../../data/coco_eval/index.js';
import { toBox } from '../../detect/box.js';
import type { CocoCategory, CocoDataset, CocoDetection, CocoImage } from '../../detect/coco.js';
import type { Detection } from '../../detect/nms.js';
import { CHECKED, type DecodeLimits, decodeImage } from '../../image/decode.js';
import type { Image } from '../../image/image.js';

/** Images to decode ahead of the detector; more would only use memory. */
const READ_AHEAD = 4;

export interface EvaluateOptions {
  /** Height and width of the detector's input, for which images are decoded. */
  fit: readonly [number, number];
  /** Categories in the order of the detector's classes. Default: those of the dataset. */
  categories?: readonly CocoCategory[];
  /** Name of the progress bar. */
  label?: string;
  /** Limits of the images; by default, assumes they have been checked. */
  limits?: DecodeLimits;
  /** Leave out images that cannot be decoded instead of failing at the first. */
  skipUnreadable?: boolean;
}

export interface DetectorEvaluation<Listed extends CocoImage = CocoImage> {
  /** The evaluated dataset, without what was left out. */
  dataset: CocoDataset<Listed>;
  /** Images left out, with reasons. */
  unreadable: { image: Listed; reason: string }[];
  /** In the order of the dataset's images. */
  detections: CocoDetection[];
  evaluation: CocoEvaluation;
  /** Includes decoding. */
  imagesPerSecond: number;
}

/**
 * Runs a detector on the images of a dataset, one by one while the next are decoded, and computes COCO's metrics.
 *
 * @param detect finds the objects of an image, with boxes in its pixels
 * @param pathOf path of an image
 * @throws UserError for an image that cannot be decoded, unless `skipUnreadable` is set
 */
export async function evaluateDetector<Listed extends CocoImage>(
  detect: (image: Image) => Promise<Detection[]>,
  dataset: CocoDataset<Listed>,
  pathOf: (image: Listed) => string,
  {
    fit,
    categories = dataset.categories,
    label = 'evaluate',
    limits = CHECKED,
    skipUnreadable = false,
  }: EvaluateOptions,
): Promise<DetectorEvaluation<Listed>> {
  const start = performance.now();
  const progress = startProgress(label, dataset.images.length);
  const detections: CocoDetection[] = [];
  const unreadable: DetectorEvaluation<Listed>['unreadable'] = [];
  const load = (image: Listed): Promise<Image | UserError> =>
    decodeImage(pathOf(image), { ...limits, fit }).catch((error) => {
      if (skipUnreadable && error instanceof UserError) return error;
      throw error;
    });
  try {
    let done = 0;
    for await (const [image, decoded] of readAhead(dataset.images, READ_AHEAD, load)) {
      if (decoded instanceof UserError) unreadable.push({ image, reason: decoded.message });
      else {
        const found = await detect(decoded);
        detections.push(...found.map((detection) => toCoco(detection, image, categories)));
      }
      done++;
      progress.update(done, `${rate(done, start).toFixed(1)} images/s`);
    }
  } finally {
    progress.stop();
  }
  const imagesPerSecond = rate(dataset.images.length, start);
  const evaluated = without(dataset, unreadable);
  return {
    dataset: evaluated,
    unreadable,
    detections,
    evaluation: evaluateCoco(evaluated, detections),
    imagesPerSecond,
  };
}

function without<Listed extends CocoImage>(
  dataset: CocoDataset<Listed>,
  unreadable: DetectorEvaluation<Listed>['unreadable'],
): CocoDataset<Listed> {
  if (unreadable.length === 0) return dataset;
  const gone = new Set(unreadable.map(({ image }) => image.id));
  return {
    ...dataset,
    images: dataset.images.filter(({ id }) => !gone.has(id)),
    annotations: dataset.annotations.filter(({ image_id }) => !gone.has(image_id)),
  };
}

function toCoco(
  { box, classIndex, score }: Detection,
  image: CocoImage,
  categories: readonly CocoCategory[],
): CocoDetection {
  const category = categories[classIndex];
  if (!category) {
    throw new UserError({
      field: 'categories',
      expected: 'one category for each class of the model',
      received: `${categories.length} categories, class ${classIndex}`,
    });
  }
  return { image_id: image.id, category_id: category.id, bbox: toBox(box), score };
}

function rate(count: number, start: number): number {
  return (count * 1000) / (performance.now() - start);
}
