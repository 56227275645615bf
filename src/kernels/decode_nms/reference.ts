import type { Anchors } from '../../config/network.js';
import { type Tensor, type Tensor2D, tf } from '../tf.js';

export interface DecodeNmsOptions {
  confidence: number;
  /** A box is dropped when its IoU with a better one (of its class, unless `agnostic`) is above this. */
  iou: number;
  maxDetections: number;
  /** Best boxes that enter the suppression (default: all at or above `confidence`). */
  maxCandidates?: number;
  agnostic: boolean;
}

/** Of one image, best first: boxes x1, y1, x2, y2 [n,4] in input pixels; objectness, class probability, class [n]. */
export interface DecodedDetections {
  boxes: Float32Array;
  objectness: Float32Array;
  probability: Float32Array;
  classIndex: Int32Array;
}

/** raw [N,A,5+C] → cx, cy, w, h in input pixels, objectness and class probabilities. The caller owns the result. */
export function activate(raw: Tensor, anchors: Anchors): Tensor {
  return tf.tidy(() => {
    const grid = tf.stack([tf.tensor1d(anchors.x), tf.tensor1d(anchors.y)], 1);
    const stride = tf.tensor2d(anchors.stride, [anchors.count, 1]);
    const [xy, wh, rest] = tf.split(raw, [2, 2, (raw.shape[2] as number) - 4], 2);
    return tf.concat([xy.add(grid).mul(stride), wh.exp().mul(stride), rest.sigmoid()], 2);
  });
}

/**
 * Detections of every image of raw head outputs [N,A,5+C], C ≥ 1. Suppression is greedy by score; of equal scores
 * the lower anchor wins, of equal class logits the lower class. A score of NaN is below every confidence.
 */
export function decodeNms(raw: Tensor, anchors: Anchors, options: DecodeNmsOptions): DecodedDetections[] {
  const predictions = activate(raw, anchors);
  const found = Array.from({ length: raw.shape[0] }, (_, n) =>
    readBack(tf.tidy(() => suppress(predictions.gather([n]).squeeze([0]) as Tensor2D, options))),
  );
  predictions.dispose();
  return found;
}

/** [A,5+C] → boxes [n,4], objectness [n], probability [n], class [n]. */
function suppress(predictions: Tensor2D, options: DecodeNmsOptions): Tensor[] {
  const [xy, wh, objectness, classes] = tf.split(predictions, [2, 2, 1, predictions.shape[1] - 5], 1);
  const half = wh.div(2);
  const boxes = tf.concat([xy.sub(half), xy.add(half)], 1) as Tensor2D;
  const probability = classes.max(1);
  const classIndex = classes.argMax(1);
  const scores = objectness.flatten().mul(probability);
  // Classes don't meet when each lies on its own tile of the plane.
  const span = boxes.abs().max().mul(2).add(1);
  const offset = classIndex.cast('float32').mul(options.agnostic ? 0 : span);
  const tiled = boxes.add(offset.expandDims(1)) as Tensor2D;
  const keep = (b: Tensor2D, s: Tensor) =>
    tf.image.nonMaxSuppression(b, s as never, options.maxDetections, options.iou, justBelow(options.confidence));
  let kept: Tensor;
  if (options.maxCandidates === undefined) {
    kept = keep(tiled, scores);
  } else {
    const { indices, values } = tf.topk(scores, Math.min(options.maxCandidates, scores.size));
    kept = indices.gather(keep(tiled.gather(indices), values));
  }
  return [boxes, objectness.flatten(), probability, classIndex].map((values) => values.gather(kept));
}

/** TensorFlow keeps scores above its threshold, YOLOX keeps the threshold itself too. */
const justBelow = (threshold: number): number => threshold * (1 - 1e-6);

function readBack(tensors: Tensor[]): DecodedDetections {
  const [boxes, objectness, probability, classIndex] = tensors.map((tensor) => tensor.dataSync());
  tf.dispose(tensors);
  return {
    boxes: boxes as Float32Array,
    objectness: objectness as Float32Array,
    probability: probability as Float32Array,
    classIndex: classIndex as Int32Array,
  };
}
