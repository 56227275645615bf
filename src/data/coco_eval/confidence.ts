import type { CategoryMatches } from './match.js';

/** Metrics over all categories for detections at or above a confidence. */
export interface OperatingPoint {
  confidence: number;
  precision: number;
  recall: number;
  /** Harmonic mean of precision and recall. */
  f1: number;
}

/** Number of steps of the confidence: 0, 0.01 … 1. */
const STEPS = 100;

/** Precision, recall and F1 at IoU .5 by confidence, up to the highest score; empty without objects or detections. */
export function operatingPoints(categories: readonly CategoryMatches[]): OperatingPoint[] {
  const objects = categories.reduce((sum, category) => sum + category.objects[0], 0);
  const judged = categories.flatMap(({ scores, matched, ignored }) =>
    Array.from(scores, (score, d) => ({ score, right: matched[0][d] & 1, counts: !(ignored[0][d] & 1) })),
  );
  const sorted = judged.filter(({ counts }) => counts).sort((a, b) => b.score - a.score);
  if (objects === 0) return [];
  const points: OperatingPoint[] = [];
  let [kept, right] = [0, 0];
  for (let step = STEPS; step >= 0; step--) {
    const confidence = step / STEPS;
    for (; kept < sorted.length && sorted[kept].score >= confidence; kept++) right += sorted[kept].right;
    if (kept === 0) continue;
    points.push({ confidence, precision: right / kept, recall: right / objects, f1: (2 * right) / (kept + objects) });
  }
  return points.reverse();
}

/** The point with the highest F1; undefined without points. */
export function bestPoint(points: readonly OperatingPoint[]): OperatingPoint | undefined {
  return points.reduce<OperatingPoint | undefined>(
    (best, point) => (best && best.f1 >= point.f1 ? best : point),
    undefined,
  );
}
