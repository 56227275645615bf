import { type CategoryMatches, IOU_THRESHOLDS } from './match.js';

/** Recalls at which precision is read: 0, 0.01 … 1. */
export const RECALLS: readonly number[] = Array.from({ length: 101 }, (_, i) => (i === 100 ? 1 : i * 0.01));

/** A metric; null if there is nothing to measure, such as no objects. */
export type Figure = number | null;

/** Indices of a category's detections, best first; equal ones stay in image order, as with numpy's mergesort. */
export function byScore({ scores }: CategoryMatches): Uint32Array {
  return Uint32Array.from(scores.keys()).sort((a, b) => scores[b] - scores[a] || a - b);
}

/**
 * Precision at {@link RECALLS} by threshold, [T, 101] (cocoeval.py, accumulate): at each recall, the best precision at
 * that recall or above; 0 beyond the highest recall, NaN without objects.
 *
 * @param order of {@link byScore}
 */
export function precisionAtRecalls(matches: CategoryMatches, order: Uint32Array, area: number): Float64Array {
  const thresholds = IOU_THRESHOLDS.length;
  const result = new Float64Array(thresholds * RECALLS.length);
  const objects = matches.objects[area];
  if (objects === 0) return result.fill(Number.NaN);
  const [matched, ignored] = [matches.matched[area], matches.ignored[area]];
  const precision = new Float64Array(order.length);
  const recall = new Float64Array(order.length);
  for (let t = 0; t < thresholds; t++) {
    const bit = 1 << t;
    let seen = 0;
    let right = 0;
    for (const d of order) {
      if (ignored[d] & bit) continue;
      if (matched[d] & bit) right++;
      precision[seen] = right / (seen + 1 + Number.EPSILON);
      recall[seen++] = right / objects;
    }
    for (let i = seen - 2; i >= 0; i--) precision[i] = Math.max(precision[i], precision[i + 1]);
    let at = 0;
    RECALLS.forEach((wanted, r) => {
      while (at < seen && recall[at] < wanted) at++;
      if (at < seen) result[t * RECALLS.length + r] = precision[at];
    });
  }
  return result;
}

/**
 * Fraction of objects found, by threshold, [T], with the best `limit` detections of each image; NaN without objects.
 */
export function recalls(matches: CategoryMatches, area: number, limit: number): number[] {
  const objects = matches.objects[area];
  const [matched, ignored] = [matches.matched[area], matches.ignored[area]];
  return IOU_THRESHOLDS.map((_, t) => {
    if (objects === 0) return Number.NaN;
    let right = 0;
    for (let d = 0; d < matched.length; d++)
      right += ((matched[d] & ~ignored[d]) >> t) & Number(matches.ranks[d] < limit);
    return right / objects;
  });
}

/** Mean of all numbers in the lists, ignoring NaN; null if there are none. */
export function meanOfPresent(...lists: readonly ArrayLike<number>[]): Figure {
  let sum = 0;
  let count = 0;
  for (const values of lists) {
    for (let i = 0; i < values.length; i++) {
      if (Number.isNaN(values[i])) continue;
      sum += values[i];
      count++;
    }
  }
  return count === 0 ? null : sum / count;
}
