import type { CocoAnnotation, CocoCategory, CocoDataset, CocoDetection } from '../../detect/coco.js';
import { cocoIou } from './match.js';

/** Outcome of one object or one detection. */
export type Outcome =
  /** An object found with its own category, or with another. */
  | { kind: 'hit' | 'confused'; object: CocoAnnotation; detection: CocoDetection; iou: number }
  | { kind: 'miss'; object: CocoAnnotation }
  | { kind: 'false alarm'; detection: CocoDetection };

export type OutcomeKind = Outcome['kind'];

export interface OutcomeOptions {
  /** Lowest score that counts as a detection. */
  confidence: number;
  /** Lowest IoU at which an object is found. Default 0.5. */
  iou?: number;
}

/**
 * Classifies each object as found or missed and each detection as right or wrong, by image (including images without
 * outcomes). Best first, each detection takes the unmatched object of its category with the highest IoU; then the
 * remaining ones take remaining objects of other categories. A detection inside a crowd of its category is neither
 * right nor wrong.
 */
export function classifyOutcomes(
  dataset: CocoDataset,
  detections: readonly CocoDetection[],
  { confidence, iou = 0.5 }: OutcomeOptions,
): Map<number, Outcome[]> {
  const objects = byImage(dataset.annotations);
  const found = byImage(detections.filter(({ score }) => score >= confidence));
  return new Map(dataset.images.map(({ id }) => [id, classifyImage(objects.get(id) ?? [], found.get(id) ?? [], iou)]));
}

function byImage<T extends { image_id: number }>(items: readonly T[]): Map<number, T[]> {
  const groups = new Map<number, T[]>();
  for (const item of items) {
    const group = groups.get(item.image_id);
    if (group) group.push(item);
    else groups.set(item.image_id, [item]);
  }
  return groups;
}

function classifyImage(
  annotations: readonly CocoAnnotation[],
  found: readonly CocoDetection[],
  minIou: number,
): Outcome[] {
  const free = new Set(annotations.filter(({ iscrowd }) => !iscrowd));
  const crowds = annotations.filter(({ iscrowd }) => iscrowd);
  const outcomes: Outcome[] = [];
  const take = (kind: 'hit' | 'confused', detection: CocoDetection): boolean => {
    const sameOnly = kind === 'hit';
    const best = [...free]
      .filter(({ category_id }) => !sameOnly || category_id === detection.category_id)
      .map((object) => ({ object, iou: cocoIou(detection.bbox, object.bbox) }))
      .reduce((a, b) => (b.iou > a.iou ? b : a), { object: undefined as CocoAnnotation | undefined, iou: 0 });
    if (!best.object || best.iou < minIou) return false;
    free.delete(best.object);
    outcomes.push({ kind, object: best.object, detection, iou: best.iou });
    return true;
  };
  const inCrowd = (detection: CocoDetection) =>
    crowds.some((c) => c.category_id === detection.category_id && cocoIou(detection.bbox, c.bbox, true) >= minIou);

  found
    .toSorted((a, b) => b.score - a.score)
    .filter((detection) => !take('hit', detection) && !inCrowd(detection))
    .filter((detection) => !take('confused', detection))
    .forEach((detection) => {
      outcomes.push({ kind: 'false alarm', detection });
    });
  for (const object of free) outcomes.push({ kind: 'miss', object });
  return outcomes;
}

/**
 * Counts by actual (row) and predicted (column) category, [C + 1, C + 1], in the order of `categories`; the last row
 * counts false alarms on background, the last column missed objects.
 */
export function confusionMatrix(
  outcomes: Iterable<readonly Outcome[]>,
  categories: readonly CocoCategory[],
): number[][] {
  const background = categories.length;
  const places = new Map(categories.map(({ id }, index) => [id, index]));
  const matrix = Array.from({ length: background + 1 }, () => new Array<number>(background + 1).fill(0));
  const place = (entry: { category_id: number } | undefined) =>
    entry ? (places.get(entry.category_id) ?? background) : background;
  for (const outcome of [...outcomes].flat()) {
    const object = 'object' in outcome ? outcome.object : undefined;
    const detection = 'detection' in outcome ? outcome.detection : undefined;
    matrix[place(object)][place(detection)]++;
  }
  return matrix;
}
