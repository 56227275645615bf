import type { Anchors } from '../../config/network.js';
import type { Assignment } from '../sim_ota_assign/index.js';
import { type Tensor, tf } from '../tf.js';

/** Weight of the IoU loss (yolox/models/yolo_head.py, reg_weight). */
const IOU_WEIGHT = 5;

/**
 * Log of a side in strides beyond which the box loss, though not L1, takes it for this large (or small): what it is made
 * of stays finite, and it is flat there to the last bit anyway.
 */
const MAX_LOG_SIDE = 40;

/** Each already divided by the matched anchors of the batch (at least 1); `iou` includes its weight. */
export interface Losses {
  total: number;
  iou: number;
  obj: number;
  cls: number;
  l1: number;
}

/** A loss tensor's values; waits for the device. */
export function readLosses(losses: Tensor): Losses {
  const [total, iou, obj, cls, l1] = losses.dataSync();
  return { total, iou, obj, cls, l1 };
}

export interface YoloxLossOptions {
  classes: number;
  /** Adds the L1 distance of raw box outputs, as the last epochs do. */
  useL1: boolean;
}

/**
 * 5·Σ(1 − IoU²) + Σ BCE(objectness) + Σ BCE(class, one-hot·IoU) + Σ L1, over max(matched anchors, 1).
 * @param raw [N,A,5+C] head outputs: tx, ty, tw, th, objectness logit, class logits. Numbers of any size give finite
 * losses and gradients while the sums fit float32; a NaN among those that count gives NaN losses.
 * @param labels [N,M,5] class, cx, cy, w, h in input pixels; a class that isn't one of [0, C) is a target of zeros
 * @returns tensors the caller owns: `losses` [5] (total, iou, obj, cls, l1) and `grad`, d total / d raw [N,A,5+C]
 */
export function yoloxLoss(
  raw: Tensor,
  labels: Tensor,
  assignment: Assignment,
  anchors: Anchors,
  { classes, useL1 }: YoloxLossOptions,
): { losses: Tensor; grad: Tensor } {
  const [batch, count, columns] = raw.shape;
  const matchedGt = assignment.matchedGt.dataSync() as Float32Array;
  const numFg = matchedGt.reduce((sum, row) => sum + Number(row >= 0), 0);
  const normalizer = Math.max(numFg, 1);
  return tf.tidy(() => {
    const flat = raw.reshape([batch * count, columns]);
    const objTarget = tf.tensor1d(Float32Array.from(matchedGt, (g) => (g >= 0 ? 1 : 0)));
    const objLogit = flat.slice([0, 4], [-1, 1]).flatten();
    const objLoss = bceWithLogits(objLogit, objTarget).sum();
    const objGrad = tf.sigmoid(objLogit).sub(objTarget).div(normalizer);
    const objColumns = tf.pad(objGrad.expandDims(1) as Tensor & { rank: 2 }, [
      [0, 0],
      [4, classes],
    ]);
    const zero = tf.scalar(0);
    if (numFg === 0) {
      return { losses: addUp(zero, objLoss, zero, zero, normalizer), grad: objColumns.reshape(raw.shape) };
    }
    const targets = gatherTargets(labels, matchedGt, assignment.matchedIou, numFg, anchors, classes);
    const index = tf.tensor1d(targets.index, 'int32');
    const matched = tf.gather(flat, index);
    let parts: Tensor | undefined;
    const lossOfMatched = (rows: Tensor): Tensor => {
      const { iou, cls, l1 } = matchedLosses(rows, targets, classes);
      parts = tf.keep(addUp(iou, objLoss, cls, useL1 ? l1 : zero, normalizer));
      const sum = iou.add(cls);
      return (useL1 ? sum.add(l1) : sum).div(normalizer);
    };
    const rowGrad = tf.grad(lossOfMatched)(matched);
    const losses = (parts as Tensor).clone();
    (parts as Tensor).dispose();
    const scattered = tf.scatterND(index.expandDims(1), rowGrad, [batch * count, columns]);
    return { losses, grad: scattered.add(objColumns).reshape(raw.shape) };
  });
}

/** [5]: their sum, then each. */
function addUp(iou: Tensor, obj: Tensor, cls: Tensor, l1: Tensor, normalizer: number): Tensor {
  const parts = tf.stack([iou, obj, cls, l1]).div(normalizer);
  return tf.concat([parts.sum().expandDims(0), parts]);
}

/** What the matched anchors should predict, one row each, in the order of their flat index. */
interface Targets {
  /** Position in [N·A]. */
  index: Int32Array;
  /** Grid column, grid row, stride, and box cx, cy, w, h in pixels. */
  rows: Float32Array;
  /** One-hot class times IoU, [n,C]. */
  classes: Float32Array;
}

const ROW = 7;

function gatherTargets(
  labelTensor: Tensor,
  matchedGt: Float32Array,
  matchedIouTensor: Tensor,
  numFg: number,
  anchors: Anchors,
  classes: number,
): Targets {
  const labels = labelTensor.dataSync() as Float32Array;
  const matchedIou = matchedIouTensor.dataSync() as Float32Array;
  const labelsPerImage = labelTensor.shape[1] as number;
  const targets = {
    index: new Int32Array(numFg),
    rows: new Float32Array(numFg * ROW),
    classes: new Float32Array(numFg * classes),
  };
  let k = 0;
  matchedGt.forEach((g, i) => {
    if (g < 0) return;
    const anchor = i % anchors.count;
    const at = (Math.floor(i / anchors.count) * labelsPerImage + g) * 5;
    targets.index[k] = i;
    targets.rows.set([anchors.x[anchor], anchors.y[anchor], anchors.stride[anchor]], k * ROW);
    targets.rows.set(labels.subarray(at + 1, at + 5), k * ROW + 3);
    const label = Math.trunc(labels[at]);
    if (label >= 0 && label < classes) targets.classes[k * classes + label] = matchedIou[i];
    k++;
  });
  return targets;
}

function matchedLosses(rows: Tensor, targets: Targets, classes: number): { iou: Tensor; cls: Tensor; l1: Tensor } {
  const n = rows.shape[0];
  const [grid, stride, centre, size] = tf.split(tf.tensor2d(targets.rows, [n, ROW]), [2, 1, 2, 2], 1);
  const [xy, wh, , logits] = tf.split(rows, [2, 2, 1, classes], 1);
  const boxSize = wh.clipByValue(-MAX_LOG_SIDE, MAX_LOG_SIDE).exp().mul(stride);
  const boxLoss = iouLoss(xy.add(grid).mul(stride), boxSize, centre, size);
  const l1Target = tf.concat([centre.div(stride).sub(grid), size.div(stride).add(1e-8).log()], 1);
  return {
    iou: boxLoss.sum().mul(IOU_WEIGHT),
    cls: bceWithLogits(logits, tf.tensor2d(targets.classes, [n, classes])).sum(),
    l1: tf.concat([xy, wh], 1).sub(l1Target).abs().sum(),
  };
}

/** 1 − IoU² of boxes given by centres and sizes, all [n,2] → [n]. */
function iouLoss(centreA: Tensor, sizeA: Tensor, centreB: Tensor, sizeB: Tensor): Tensor {
  const low = tf.maximum(centreA.sub(sizeA.div(2)), centreB.sub(sizeB.div(2)));
  const high = tf.minimum(centreA.add(sizeA.div(2)), centreB.add(sizeB.div(2)));
  const intersection = tf.relu(high.sub(low)).prod(1);
  const union = sizeA.prod(1).add(sizeB.prod(1)).sub(intersection);
  return tf.scalar(1).sub(intersection.div(union.add(1e-16)).square());
}

/** max(x, 0) − x·t + log(1 + e^−|x|), which never overflows. */
function bceWithLogits(logits: Tensor, target: Tensor): Tensor {
  return tf.relu(logits).sub(logits.mul(target)).add(logits.abs().neg().exp().log1p());
}
