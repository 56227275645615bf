import { iou, toCorners } from '../../detect/box.js';
import type { AnswerAnnotation } from '../../serve/http/answer.js';

export interface Tolerance {
  /** Lowest IoU of two boxes that are the same object. */
  minIou: number;
  /** Largest difference of their scores. */
  scoreTolerance: number;
}

export interface Comparison {
  matched: number;
  /** Expected objects that were not answered. */
  missing: AnswerAnnotation[];
  /** Answered objects that were not expected. */
  extra: AnswerAnnotation[];
}

/** Pairs the objects of two answers one to one: same category, alike in box and score, the most alike first. */
export function compareAnswers(
  expected: readonly AnswerAnnotation[],
  received: readonly AnswerAnnotation[],
  { minIou, scoreTolerance }: Tolerance,
): Comparison {
  const missing = new Set(expected);
  const extra = new Set(received);
  const pairs = expected
    .flatMap((a) => received.map((b) => ({ a, b, overlap: overlapOf(a, b), gap: Math.abs(a.score - b.score) })))
    .filter(({ a, b, overlap, gap }) => a.category_id === b.category_id && overlap >= minIou && gap <= scoreTolerance)
    .sort((p, q) => q.overlap - p.overlap || p.gap - q.gap);
  for (const { a, b } of pairs) {
    if (!missing.has(a) || !extra.has(b)) continue;
    missing.delete(a);
    extra.delete(b);
  }
  return { matched: expected.length - missing.size, missing: [...missing], extra: [...extra] };
}

function overlapOf(a: AnswerAnnotation, b: AnswerAnnotation): number {
  return iou(toCorners(a.bbox), toCorners(b.bbox));
}
