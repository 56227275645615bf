import type { CocoCategory, CocoDataset, CocoDetection } from '../../detect/coco.js';

/** 0.50, 0.55 … 0.95, rounded like numpy.linspace. */
export const IOU_THRESHOLDS: readonly number[] = [
  ...Array.from({ length: 9 }, (_, i) => 0.5 + i * ((0.95 - 0.5) / 9)),
  0.95,
];

/** Object areas in square pixels, with both limits included: all, small, medium, large. */
export const AREA_RANGES = [
  [0, 1e10],
  [0, 32 ** 2],
  [32 ** 2, 96 ** 2],
  [96 ** 2, 1e10],
] as const;

/** Most detections considered per category and image. */
export const MAX_DETECTIONS = 100;

const ALL_THRESHOLDS = (1 << IOU_THRESHOLDS.length) - 1;

/**
 * Matches between detections and objects of one category. Detections are ordered by image id, best first within an
 * image, at most {@link MAX_DETECTIONS} per image. Bit `t` of a mask stands for `IOU_THRESHOLDS[t]`; there are masks
 * and counts for each of {@link AREA_RANGES}.
 */
export interface CategoryMatches {
  category: CocoCategory;
  scores: Float64Array;
  /** Rank of a detection within its image, from 0. */
  ranks: Uint8Array;
  /** Whether a detection matched an object. */
  matched: readonly Uint16Array[];
  /**
   * Whether a detection is neither right nor wrong: it matched a crowd or an object of another size, or has another
   * size itself.
   */
  ignored: readonly Uint16Array[];
  /** Number of objects. */
  objects: readonly number[];
}

export interface MatchOptions {
  /**
   * Treat an object with id 0 as never found, although it uses up its detection: pycocotools stores the id of the
   * matched object and reads 0 as none.
   */
  zeroIdIsNone?: boolean;
}

/**
 * Greedy matching of pycocotools (cocoeval.py, evaluateImg; boxes): within an image and category each detection, best
 * first, takes the unmatched object with the highest IoU at or above the threshold; among equal IoUs, the later object.
 * A crowd can match repeatedly. Ignores annotations and detections of categories or images not in the dataset.
 *
 * @returns one entry per category, in the order of category ids
 */
export function matchDetections(
  dataset: CocoDataset,
  detections: readonly CocoDetection[],
  { zeroIdIsNone = false }: MatchOptions = {},
): CategoryMatches[] {
  const images = ranksOf(dataset.images.map(({ id }) => id));
  const categories = ranksOf(dataset.categories.map(({ id }) => id));
  const byId = new Map(dataset.categories.map((category) => [category.id, category]));
  const groups = images.size * categories.size;
  const groupOf = (entry: { image_id: number; category_id: number }): number => {
    const image = images.get(entry.image_id);
    const category = categories.get(entry.category_id);
    return image === undefined || category === undefined ? groups : category * images.size + image;
  };
  const truth = dataset.annotations.map((annotation) => ({
    ...annotation,
    lost: zeroIdIsNone && annotation.id === 0,
  }));
  const objects = group(truth, groupOf, groups);
  const found = group(detections, groupOf, groups);

  return [...categories].map(([id, category]) => {
    const pairs: Pair[] = [];
    for (let at = category * images.size; at < (category + 1) * images.size; at++) {
      const detections = found(at).sort((a, b) => b.score - a.score);
      const pair = { detections: detections.slice(0, MAX_DETECTIONS), objects: objects(at) };
      if (pair.detections.length + pair.objects.length > 0) pairs.push(pair);
    }
    return matchCategory(byId.get(id) as CocoCategory, pairs);
  });
}

interface GroundTruth {
  bbox: readonly number[];
  area: number;
  iscrowd: number;
  /** Uses up a detection without matching it. */
  lost: boolean;
}

/** Objects and detections of one category in one image. */
interface Pair {
  /** Best first. */
  detections: readonly Pick<CocoDetection, 'bbox' | 'score'>[];
  objects: readonly GroundTruth[];
}

function matchCategory(category: CocoCategory, pairs: readonly Pair[]): CategoryMatches {
  const detections = pairs.flatMap((pair) => pair.detections);
  const overlap = pairs.map(overlaps);
  const masks = () => AREA_RANGES.map(() => new Uint16Array(detections.length));
  const [matched, ignored] = [masks(), masks()];
  const objects = AREA_RANGES.map(([low, high], range) => {
    const outside = (area: number) => area < low || area > high;
    let [start, count] = [0, 0];
    pairs.forEach((pair, i) => {
      const end = start + pair.detections.length;
      const counts = pair.objects.map(({ iscrowd, area }) => !iscrowd && !outside(area));
      count += matchPair(
        pair,
        overlap[i],
        counts,
        matched[range].subarray(start, end),
        ignored[range].subarray(start, end),
      );
      start = end;
    });
    detections.forEach(({ bbox }, d) => {
      if (outside(bbox[2] * bbox[3])) ignored[range][d] |= ALL_THRESHOLDS & ~matched[range][d];
    });
    return count;
  });
  return {
    category,
    scores: Float64Array.from(detections, ({ score }) => score),
    ranks: Uint8Array.from(pairs.flatMap((pair) => pair.detections.map((_, rank) => rank))),
    matched,
    ignored,
    objects,
  };
}

/**
 * Sets the masks of a pair's detections; returns the number of objects that count.
 * @param overlap result of {@link overlaps}
 * @param counts whether an object counts: not a crowd, and in the size range
 */
function matchPair(
  { detections, objects }: Pair,
  overlap: Float64Array,
  counts: readonly boolean[],
  matched: Uint16Array,
  ignored: Uint16Array,
): number {
  if (objects.length === 0) return 0;
  // Objects that count have priority for a detection.
  const order = Uint32Array.from(objects.keys()).sort((a, b) => Number(counts[b]) - Number(counts[a]) || a - b);
  const counted = counts.filter(Boolean).length;
  if (detections.length > 0) {
    IOU_THRESHOLDS.forEach((threshold, t) => {
      matchAt(threshold, 1 << t, { overlap, objects, order, counted, matched, ignored });
    });
  }
  return counted;
}

interface Matching {
  /** [detections, objects] */
  overlap: Float64Array;
  objects: readonly GroundTruth[];
  /** Indices of objects: the first `counted` ones count, the others are ignored. */
  order: Uint32Array;
  counted: number;
  matched: Uint16Array;
  ignored: Uint16Array;
}

/** Sets `bit` in the masks of detections that are matched, or matched but ignored, at one threshold. */
function matchAt(
  threshold: number,
  bit: number,
  { overlap, objects, order, counted, matched, ignored }: Matching,
): void {
  const taken = new Uint8Array(objects.length);
  for (let d = 0; d < matched.length; d++) {
    // pycocotools' own bound, so that IoU 1 passes a threshold of 1.
    let best = Math.min(threshold, 1 - 1e-10);
    let match = -1;
    for (let place = 0; place < order.length; place++) {
      if (place === counted && match >= 0) break;
      const g = order[place];
      if (taken[g] && !objects[g].iscrowd) continue;
      const iou = overlap[d * order.length + g];
      if (iou < best) continue;
      best = iou;
      match = place;
    }
    if (match < 0) continue;
    taken[order[match]] = 1;
    if (!objects[order[match]].lost) matched[d] |= bit;
    if (match >= counted) ignored[d] |= bit;
  }
}

/**
 * IoU of every detection with every object, [detections, objects]; for a crowd, the fraction of the detection inside
 * it.
 */
function overlaps({ detections, objects }: Pair): Float64Array {
  const result = new Float64Array(detections.length * objects.length);
  let at = 0;
  for (const { bbox } of detections) {
    for (const object of objects) result[at++] = cocoIou(bbox, object.bbox, Boolean(object.iscrowd));
  }
  return result;
}

/** IoU of two boxes x, y, width, height; for a crowd, the fraction of `box` inside it (cocoapi maskApi.c, bbIou). */
export function cocoIou(box: readonly number[], other: readonly number[], crowd = false): number {
  const width = Math.min(box[0] + box[2], other[0] + other[2]) - Math.max(box[0], other[0]);
  const height = Math.min(box[1] + box[3], other[1] + other[3]) - Math.max(box[1], other[1]);
  if (width <= 0 || height <= 0) return 0;
  const both = width * height;
  const area = box[2] * box[3];
  return both / (crowd ? area : area + other[2] * other[3] - both);
}

/** Maps distinct ids to their ranks, in ascending order. */
function ranksOf(ids: readonly number[]): Map<number, number> {
  return new Map([...new Set(ids)].sort((a, b) => a - b).map((id, rank) => [id, rank]));
}

/** Groups items by number, keeping their order; items of group `count` are left out. */
function group<T>(items: readonly T[], groupOf: (item: T) => number, count: number): (group: number) => T[] {
  const groups: (T[] | undefined)[] = new Array(count);
  for (const item of items) {
    const at = groupOf(item);
    if (at === count) continue;
    const members = groups[at];
    if (members) members.push(item);
    else groups[at] = [item];
  }
  return (at) => groups[at] ?? [];
}
