import type { Anchors } from '../../config/network.js';
import { type Tensor, tf } from '../tf.js';

/** One objects-to-anchors match of a batch, float32 on the device. */
export type Assignment = {
  /** [N,A]: row of the image's labels an anchor learns, −1 for background. */
  matchedGt: Tensor;
  /** [N,A]: IoU of the anchor's predicted box with its object, 0 for background. */
  matchedIou: Tensor;
  /** [1]: matched anchors in the whole batch. */
  numFg: Tensor;
};

interface Assigner {
  /** Half side of the square around an object's centre, in strides. */
  radius: number;
  /** Cost added to an anchor that isn't well placed for the object. */
  penalty: number;
  /** Anchors anywhere inside an object's box are candidates as well. */
  inBox: boolean;
}

/** `main`: yolox/models/yolo_head.py of Megvii's main branch; `v0.3`: its release 0.3 and mmdetection. */
export const ASSIGNERS = {
  main: { radius: 1.5, penalty: 1e6, inBox: false },
  'v0.3': { radius: 2.5, penalty: 1e5, inBox: true },
} as const satisfies Record<string, Assigner>;

export type AssignerName = keyof typeof ASSIGNERS;

/** Weight of the IoU cost. */
export const IOU_WEIGHT = 3;
/** How many of an object's best IoUs are summed into its dynamic k. */
const TOP_CANDIDATES = 10;
/** Stands for a cost that isn't a number: the largest float32. */
const WORST_COST = (2 - 2 ** -23) * 2 ** 127;
/** torch.nn.functional.binary_cross_entropy clamps its logarithms here. */
const MIN_LOG = -100;

/**
 * Assigns every image's objects.
 * @param raw [N,A,5+C] head outputs: tx, ty, tw, th, objectness logit, class logits. Where they aren't numbers, a box
 * has IoU 0 with every object, and a cost comes after all others.
 * @param labels [N,M,5] class, cx, cy, w, h in input pixels; a row whose sum isn't positive and finite, or whose class
 * isn't one of [0, C), is none
 * @returns tensors the caller owns. Ties go to the lowest anchor index, then the lowest label row.
 */
export function simOtaAssign(raw: Tensor, labels: Tensor, anchors: Anchors, name: AssignerName = 'main'): Assignment {
  const [batch, , columns] = raw.shape;
  const shape: [number, number] = [batch, anchors.count];
  const matchedGt = new Float32Array(batch * anchors.count).fill(-1);
  const matchedIou = new Float32Array(batch * anchors.count);
  const outputs = raw.dataSync() as Float32Array;
  const rows = labels.dataSync() as Float32Array;
  const ofImage = (values: Float32Array, n: number) =>
    values.subarray((n * values.length) / batch, ((n + 1) * values.length) / batch);
  let numFg = 0;
  for (let n = 0; n < batch; n++) {
    numFg += assignImage(
      ofImage(outputs, n),
      readObjects(ofImage(rows, n), columns - 5),
      columns - 5,
      anchors,
      ASSIGNERS[name],
      ofImage(matchedGt, n),
      ofImage(matchedIou, n),
    );
  }
  return {
    matchedGt: tf.tensor2d(matchedGt, shape),
    matchedIou: tf.tensor2d(matchedIou, shape),
    numFg: tf.tensor1d([numFg]),
  };
}

interface GroundTruth {
  row: number;
  label: number;
  cx: number;
  cy: number;
  w: number;
  h: number;
}

function readObjects(labels: Float32Array, classes: number): GroundTruth[] {
  const objects: GroundTruth[] = [];
  for (let row = 0; row * 5 < labels.length; row++) {
    const [label, cx, cy, w, h] = labels.subarray(row * 5, row * 5 + 5);
    const sum = label + cx + cy + w + h;
    const known = label >= 0 && label < classes;
    if (known && sum > 0 && Number.isFinite(sum)) objects.push({ row, label: Math.trunc(label), cx, cy, w, h });
  }
  return objects;
}

function assignImage(
  raw: Float32Array,
  objects: GroundTruth[],
  classes: number,
  anchors: Anchors,
  assigner: Assigner,
  matchedGt: Float32Array,
  matchedIou: Float32Array,
): number {
  const candidates = findCandidates(objects, anchors, assigner);
  const n = candidates.length;
  if (n === 0) return 0;
  const iou = new Float32Array(objects.length * n);
  const cost = new Float32Array(objects.length * n);
  fillCosts(raw, objects, classes, anchors, assigner, candidates, iou, cost);

  const owner = new Int32Array(n).fill(-1);
  const shared = new Set<number>();
  objects.forEach((_, g) => {
    const row = cost.subarray(g * n, (g + 1) * n);
    for (const j of smallest(row, dynamicK(iou.subarray(g * n, (g + 1) * n)))) {
      if (owner[j] >= 0) shared.add(j);
      else owner[j] = g;
    }
  });
  for (const j of shared) owner[j] = cheapestObject(cost, n, j);

  let matched = 0;
  owner.forEach((g, j) => {
    if (g < 0) return;
    matched++;
    matchedGt[candidates[j]] = objects[g].row;
    matchedIou[candidates[j]] = iou[g * n + j];
  });
  return matched;
}

/** Strictly within `radius` strides of the centre on both axes. */
const nearCentre = (gt: GroundTruth, anchors: Anchors, i: number, radius: number): boolean =>
  insideBy(gt, anchors, i, radius * anchors.stride[i], radius * anchors.stride[i]);

const inBox = (gt: GroundTruth, anchors: Anchors, i: number): boolean => insideBy(gt, anchors, i, gt.w / 2, gt.h / 2);

function insideBy(gt: GroundTruth, anchors: Anchors, i: number, halfWidth: number, halfHeight: number): boolean {
  const x = (anchors.x[i] + 0.5) * anchors.stride[i];
  const y = (anchors.y[i] + 0.5) * anchors.stride[i];
  // In float32 as the references compute it: anchors lie exactly on the border of many integer boxes.
  const edge = Math.fround;
  return (
    x > edge(gt.cx - halfWidth) &&
    x < edge(gt.cx + halfWidth) &&
    y > edge(gt.cy - halfHeight) &&
    y < edge(gt.cy + halfHeight)
  );
}

function findCandidates(objects: GroundTruth[], anchors: Anchors, assigner: Assigner): number[] {
  const found: number[] = [];
  for (let i = 0; i < anchors.count; i++) {
    const near = objects.some(
      (gt) => nearCentre(gt, anchors, i, assigner.radius) || (assigner.inBox && inBox(gt, anchors, i)),
    );
    if (near) found.push(i);
  }
  return found;
}

function fillCosts(
  raw: Float32Array,
  objects: GroundTruth[],
  classes: number,
  anchors: Anchors,
  { radius, penalty, inBox: usesBox }: Assigner,
  candidates: number[],
  iou: Float32Array,
  cost: Float32Array,
): void {
  const columns = 5 + classes;
  candidates.forEach((i, j) => {
    const row = raw.subarray(i * columns, (i + 1) * columns);
    const box = decode(row, anchors, i);
    const objectness = sigmoid(row[4]);
    const probability = (c: number) => Math.fround(Math.sqrt(sigmoid(row[5 + c]) * objectness));
    let allNegative = 0;
    for (let c = 0; c < classes; c++) allNegative -= clampedLog(1 - probability(c));
    objects.forEach((gt, g) => {
      const p = probability(gt.label);
      const classCost = allNegative + clampedLog(1 - p) - clampedLog(p);
      const overlap = boxIou(box, gt);
      const placed = nearCentre(gt, anchors, i, radius) && (!usesBox || inBox(gt, anchors, i));
      iou[g * candidates.length + j] = overlap;
      const sum = classCost - IOU_WEIGHT * Math.log(overlap + 1e-8) + (placed ? 0 : penalty);
      cost[g * candidates.length + j] = Number.isNaN(sum) ? WORST_COST : sum;
    });
  });
}

function decode(row: Float32Array, anchors: Anchors, i: number): Pick<GroundTruth, 'cx' | 'cy' | 'w' | 'h'> {
  const stride = anchors.stride[i];
  return {
    cx: Math.fround((row[0] + anchors.x[i]) * stride),
    cy: Math.fround((row[1] + anchors.y[i]) * stride),
    w: Math.fround(Math.exp(row[2]) * stride),
    h: Math.fround(Math.exp(row[3]) * stride),
  };
}

type CentreBox = Pick<GroundTruth, 'cx' | 'cy' | 'w' | 'h'>;

function boxIou(a: CentreBox, b: CentreBox): number {
  const width = Math.min(a.cx + a.w / 2, b.cx + b.w / 2) - Math.max(a.cx - a.w / 2, b.cx - b.w / 2);
  const height = Math.min(a.cy + a.h / 2, b.cy + b.h / 2) - Math.max(a.cy - a.h / 2, b.cy - b.h / 2);
  if (!(width > 0 && height > 0)) return 0;
  const intersection = width * height;
  return intersection / (a.w * a.h + b.w * b.h - intersection);
}

/** How many anchors an object gets: its best IoUs summed, cut to a whole number, at least 1. */
function dynamicK(iou: Float32Array): number {
  const best = iou.toSorted().slice(-TOP_CANDIDATES).reverse();
  return Math.max(1, Math.trunc(best.reduce((sum, x) => Math.fround(sum + x), 0)));
}

/** Indices of the k smallest values. */
function smallest(values: Float32Array, k: number): number[] {
  const order = Array.from(values, (_, i) => i);
  return order.sort((a, b) => values[a] - values[b] || a - b).slice(0, k);
}

function cheapestObject(cost: Float32Array, n: number, j: number): number {
  let best = 0;
  for (let g = 1; g * n < cost.length; g++) if (cost[g * n + j] < cost[best * n + j]) best = g;
  return best;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const clampedLog = (x: number): number => Math.max(Math.log(x), MIN_LOG);
