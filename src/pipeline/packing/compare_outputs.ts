/** Largest difference of a box's centre and size, pixels. */
export const BOX_TOLERANCE = 1e-3;

/** Largest side of a box, pixels, to which this tolerance applies: float32 is not precise enough for larger ones. */
const BOX_TOLERANCE_SIDE = 256;

/** Largest difference of objectness and class probabilities. */
export const SCORE_TOLERANCE = 1e-4;

export interface Difference {
  /** Largest difference in pixels, for anchors confident enough to be served. */
  boxes: number;
  scores: number;
  /** Largest difference of any value divided by its tolerance; the outputs differ unless this is ≤ 1. */
  excess: number;
}

/**
 * Compares two outputs [A,5+C] of the same network. Boxes of anchors below `confidence` are never shown, and the
 * exponential makes large ones noisy in absolute pixels, so they are compared relative to their size.
 */
export function compareOutputs(a: Float32Array, b: Float32Array, classes: number, confidence: number): Difference {
  let total: Difference = { boxes: 0, scores: 0, excess: 0 };
  for (let start = 0; start < b.length; start += 5 + classes) {
    const anchor = b.subarray(start, start + 5 + classes);
    const delta = anchor.map((value, i) => Math.abs(value - a[start + i]));
    const [boxes, scores] = [delta.subarray(0, 4), delta.subarray(4)].map(largest);
    const side = largest(anchor.subarray(0, 4).map(Math.abs));
    const confident = anchor[4] * largest(anchor.subarray(5)) >= confidence;
    const tolerance = BOX_TOLERANCE * Math.max(1, confident ? side / BOX_TOLERANCE_SIDE : side);
    const excess = Math.max(boxes / tolerance, scores / SCORE_TOLERANCE);
    total = worse(total, { boxes: confident ? boxes : 0, scores, excess });
  }
  return total;
}

/** The larger of each; NaN stays. */
export const worse = (a: Difference, b: Difference): Difference => ({
  boxes: Math.max(a.boxes, b.boxes),
  scores: Math.max(a.scores, b.scores),
  excess: Math.max(a.excess, b.excess),
});

const largest = (values: Float32Array): number => values.reduce((x, y) => Math.max(x, y));
