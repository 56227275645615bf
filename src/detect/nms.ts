import { anchorGrid } from '../config/network.js';
import type { Image } from '../image/image.js';
import { type Corners, iou } from './box.js';

/** An object found in an image. */
export interface Detection {
  box: Corners;
  classIndex: number;
  /** Objectness times class probability. */
  score: number;
}

/** Which detections to keep. */
export interface Thresholds {
  /** Lowest score kept. */
  confidence: number;
  /** IoU above which the lower-scoring of two boxes is suppressed. */
  iou: number;
  /** Most boxes kept per image. */
  maxDetections: number;
  /** Suppress across classes, not only within one. */
  agnostic: boolean;
  /** Indices of the classes to look for; all when absent. */
  classes?: readonly number[];
}

/** Values of an anchor before its class probabilities: centre x, y, width, height, objectness. */
const BOX_VALUES = 5;

/**
 * Turns the network's output for one image into detections in input pixels, best first.
 *
 * Non-maximum suppression is greedy by score; of equal scores the lower anchor wins.
 *
 * @param output [A, 5 + C]: decoded centre x, y, width, height in input pixels, then objectness and class probabilities
 * @param shape A and C
 */
export function postprocess(
  output: Float32Array,
  { anchors, classCount }: { anchors: number; classCount: number },
  thresholds: Thresholds,
): Detection[] {
  const { order, scores, best } = rankAnchors(output, anchors, classCount, thresholds);
  const kept: Detection[] = [];
  for (const anchor of order) {
    if (kept.length === thresholds.maxDetections) break;
    const box = cornersOf(output, anchor * (BOX_VALUES + classCount));
    const classIndex = best[anchor];
    const rival = (other: Detection) => thresholds.agnostic || other.classIndex === classIndex;
    if (kept.some((other) => rival(other) && iou(other.box, box) > thresholds.iou)) continue;
    kept.push({ box, classIndex, score: scores[anchor] });
  }
  return kept;
}

/** Returns anchors at or above the confidence, best first, with scores and best classes by anchor. */
function rankAnchors(
  output: Float32Array,
  anchors: number,
  classCount: number,
  { confidence, classes }: Thresholds,
): { order: Uint32Array; scores: Float32Array; best: Uint16Array } {
  const width = BOX_VALUES + classCount;
  const scores = new Float32Array(anchors);
  const best = new Uint16Array(anchors);
  const order = new Uint32Array(anchors);
  // Rounds the threshold to float32, too, so that a score equal to it is kept.
  const lowest = Math.fround(confidence);
  let count = 0;
  for (let anchor = 0; anchor < anchors; anchor++) {
    const first = anchor * width + BOX_VALUES;
    const objectness = output[first - 1];
    // A probability is at most 1, so the classes of most anchors need not be checked.
    if (!(objectness >= lowest)) continue;
    let top = 0;
    for (let c = 1; c < classCount; c++) if (output[first + c] > output[first + top]) top = c;
    scores[anchor] = objectness * output[first + top];
    if (!(scores[anchor] >= lowest) || (classes && !classes.includes(top))) continue;
    best[anchor] = top;
    order[count++] = anchor;
  }
  return { order: order.subarray(0, count).sort((a, b) => scores[b] - scores[a] || a - b), scores, best };
}

function cornersOf(output: Float32Array, at: number): Corners {
  const [x, y, halfWidth, halfHeight] = [output[at], output[at + 1], output[at + 2] / 2, output[at + 3] / 2];
  return [x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight];
}

/**
 * Maps detections from input pixels to pixels of the original image, and clips them to it. Boxes entirely within the
 * padding are dropped.
 *
 * @param ratio the letterbox's scale from image to input
 */
export function toOriginal(detections: readonly Detection[], ratio: number, image: Omit<Image, 'data'>): Detection[] {
  const { width, height } = image.original ?? image;
  const clip = (value: number, limit: number) => Math.min(Math.max(value / ratio, 0), limit);
  return detections
    .map(
      ({ box: [x1, y1, x2, y2], ...rest }): Detection => ({
        ...rest,
        box: [clip(x1, width), clip(y1, height), clip(x2, width), clip(y2, height)],
      }),
    )
    .filter(({ box: [x1, y1, x2, y2] }) => x2 > x1 && y2 > y1);
}

/**
 * Decodes raw box regressions in place: xy = (p + grid) · stride, wh = exp(p) · stride.
 *
 * @param output [A, 5 + C], levels in the order of the strides, each row-major
 * @param size height, width of the input
 */
export function decodeBoxes(output: Float32Array, size: readonly [number, number], classCount: number): void {
  const { count, x, y, stride } = anchorGrid(...size);
  for (let anchor = 0, at = 0; anchor < count; anchor++, at += BOX_VALUES + classCount) {
    output[at] = (output[at] + x[anchor]) * stride[anchor];
    output[at + 1] = (output[at + 1] + y[anchor]) * stride[anchor];
    output[at + 2] = Math.exp(output[at + 2]) * stride[anchor];
    output[at + 3] = Math.exp(output[at + 3]) * stride[anchor];
  }
}
