import type { CocoCategory, CocoDataset, CocoDetection } from '../../detect/coco.js';
import { byScore, type Figure, meanOfPresent, precisionAtRecalls, RECALLS, recalls } from './accumulate.js';
import {
  AREA_RANGES,
  type CategoryMatches,
  IOU_THRESHOLDS,
  MAX_DETECTIONS,
  type MatchOptions,
  matchDetections,
} from './match.js';

/** COCO's twelve: average precision (IoU .5–.95, .5, .75, by size), then average recall (by detections, by size). */
export const STAT_NAMES = [
  'AP',
  'AP50',
  'AP75',
  'APs',
  'APm',
  'APl',
  'AR1',
  'AR10',
  'AR100',
  'ARs',
  'ARm',
  'ARl',
] as const;

/** Results of one category; null if it has no objects. */
export interface CategoryEvaluation {
  category: CocoCategory;
  ap: Figure;
  ap50: Figure;
  ap75: Figure;
  ar100: Figure;
  /** Number of objects, without crowds. */
  objects: number;
  /** Precision by IoU threshold and recall, [10, 101]; see `precisionAtRecalls`. */
  precision: Float64Array;
  matches: CategoryMatches;
}

export interface CocoEvaluation {
  /** In the order of {@link STAT_NAMES}; null without objects. */
  stats: Figure[];
  /** In the order of category ids. */
  categories: CategoryEvaluation[];
}

/**
 * COCO's box metrics with the results of pycocotools 2.0: ten IoU thresholds, 101 recalls, at most 100 detections per
 * image and category. One difference, unless asked for: an annotation of id 0 counts like any other.
 *
 * Detections must be of images in the dataset; those of other categories do not count.
 */
export function evaluateCoco(
  dataset: CocoDataset,
  detections: readonly CocoDetection[],
  options: MatchOptions = {},
): CocoEvaluation {
  const all = matchDetections(dataset, detections, options).map((matches) => {
    const order = byScore(matches);
    return { matches, precision: AREA_RANGES.map((_, area) => precisionAtRecalls(matches, order, area)) };
  });
  const ap = (area: number, threshold?: number) =>
    meanOfPresent(...all.map(({ precision }) => atThreshold(precision[area], threshold)));
  const ar = (area: number, limit: number) => meanOfPresent(...all.map(({ matches }) => recalls(matches, area, limit)));
  const [any, small, medium, large] = [0, 1, 2, 3];
  return {
    stats: [
      ap(any),
      ap(any, 0),
      ap(any, 5),
      ap(small),
      ap(medium),
      ap(large),
      ar(any, 1),
      ar(any, 10),
      ar(any, MAX_DETECTIONS),
      ar(small, MAX_DETECTIONS),
      ar(medium, MAX_DETECTIONS),
      ar(large, MAX_DETECTIONS),
    ],
    categories: all.map(({ matches, precision: [precision] }) => ({
      category: matches.category,
      ap: meanOfPresent(precision),
      ap50: meanOfPresent(atThreshold(precision, 0)),
      ap75: meanOfPresent(atThreshold(precision, 5)),
      ar100: meanOfPresent(recalls(matches, any, MAX_DETECTIONS)),
      objects: matches.objects[any],
      precision,
      matches,
    })),
  };
}

/** The 101 precisions at `IOU_THRESHOLDS[threshold]`, or at all thresholds. */
function atThreshold(precision: Float64Array, threshold?: number): Float64Array {
  const start = (threshold ?? 0) * RECALLS.length;
  return precision.subarray(
    start,
    threshold === undefined ? IOU_THRESHOLDS.length * RECALLS.length : start + RECALLS.length,
  );
}
