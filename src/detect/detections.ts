import { STRIDES } from '../config/network.js';
import type { Image } from '../image/image.js';

/** Left, top, right, bottom in pixels. */
export type Corners = [x1: number, y1: number, x2: number, y2: number];

export interface Detection {
  box: Corners;
  classIndex: number;
  /** Objectness times class probability. */
  score: number;
}

export interface Thresholds {
  /** Lowest score kept. */
  confidence: number;
  /** A box whose IoU with a better one is above this is suppressed. */
  nms: number;
  /** Best boxes kept of one image. */
  maxDetections: number;
  /** Suppress across classes, not only within one. */
  agnostic: boolean;
  /** Indices of the classes asked for; every class when absent. */
  only?: readonly number[];
}

/** Values before the class probabilities of an anchor: centre x, y, width, height, objectness. */
const BOX_VALUES = 5;

/**
 * The network's answer for one image to detections in input pixels, best first.
 *
 * `output` is [A, 5 + C]: decoded centre x, y, width, height in input pixels, then objectness and class probabilities.
 * Non-maximum suppression is greedy by score; of equal scores the lower anchor wins.
 */
export function postprocess(
  output: Float32Array,
  { anchors, classes, ...thresholds }: Thresholds & { anchors: number; classes: number },
): Detection[] {
  const { order, scores, best } = rankAnchors(output, anchors, classes, thresholds);
  const kept: Detection[] = [];
  for (const anchor of order) {
    if (kept.length === thresholds.maxDetections) break;
    const box = cornersOf(output, anchor * (BOX_VALUES + classes));
    const classIndex = best[anchor];
    const rival = (other: Detection) => thresholds.agnostic || other.classIndex === classIndex;
    if (kept.some((other) => rival(other) && iou(other.box, box) > thresholds.nms)) continue;
    kept.push({ box, classIndex, score: scores[anchor] });
  }
  return kept;
}

/** Anchors at or above the confidence, best first, with the score and best class of each (by anchor). */
function rankAnchors(output: Float32Array, anchors: number, classes: number, { confidence, only }: Thresholds) {
  const width = BOX_VALUES + classes;
  const scores = new Float32Array(anchors);
  const best = new Uint16Array(anchors);
  const order = new Uint32Array(anchors);
  // The threshold in float32 as well, so that a score equal to it stays.
  const lowest = Math.fround(confidence);
  let count = 0;
  for (let anchor = 0; anchor < anchors; anchor++) {
    const first = anchor * width + BOX_VALUES;
    const objectness = output[first - 1];
    // A probability is at most 1, so the classes of most anchors need no look.
    if (!(objectness >= lowest)) continue;
    let top = 0;
    for (let c = 1; c < classes; c++) if (output[first + c] > output[first + top]) top = c;
    scores[anchor] = objectness * output[first + top];
    if (!(scores[anchor] >= lowest) || (only && !only.includes(top))) continue;
    best[anchor] = top;
    order[count++] = anchor;
  }
  return { order: order.subarray(0, count).sort((a, b) => scores[b] - scores[a] || a - b), scores, best };
}

function cornersOf(output: Float32Array, at: number): Corners {
  const [x, y, halfWidth, halfHeight] = [output[at], output[at + 1], output[at + 2] / 2, output[at + 3] / 2];
  return [x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight];
}

/** Intersection over union; 0 for boxes without area. */
export function iou(a: Corners, b: Corners): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const both = width * height;
  return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both);
}

/**
 * From input pixels back to those of the image in full, clipped to it; `ratio` is the letterbox's.
 * A box that lies wholly in the padding is dropped.
 */
export function toImage(detections: readonly Detection[], ratio: number, image: Omit<Image, 'data'>): Detection[] {
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
 * `output` is [A, 5 + C] with levels of stride 8, 16, 32 in turn, each row-major; `size` is the input's height, width.
 */
export function decodeBoxes(output: Float32Array, size: readonly [number, number], classes: number): void {
  let at = 0;
  for (const stride of STRIDES) {
    for (let y = 0; y < size[0] / stride; y++) {
      for (let x = 0; x < size[1] / stride; x++) {
        output[at] = (output[at] + x) * stride;
        output[at + 1] = (output[at + 1] + y) * stride;
        output[at + 2] = Math.exp(output[at + 2]) * stride;
        output[at + 3] = Math.exp(output[at + 3]) * stride;
        at += BOX_VALUES + classes;
      }
    }
  }
}
