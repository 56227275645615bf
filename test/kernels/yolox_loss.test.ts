import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../src/base/random.js';
import type { Assignment } from '../../src/kernels/sim_ota_assign/index.js';
import { tf } from '../../src/kernels/tf.js';
import { type Losses, yoloxLoss } from '../../src/kernels/yolox_loss/index.js';
import { anchorsOf } from '../../src/model/inference.js';
import { maxAbs, maxDifference } from '../golden/read.js';

const test = suite('loss against its definition in double precision');

const anchors = anchorsOf(32, 64);
const ROWS = 6;
/** Of the central differences; so short that hardly any crosses a corner of IoU or L1. */
const STEP = 1e-7;

interface Case {
  batch: number;
  classes: number;
  /** Share of the anchors that are matched. */
  density: number;
  useL1: boolean;
  seed: number;
}

const cases: fc.Arbitrary<Case> = fc.record({
  batch: fc.integer({ min: 1, max: 2 }),
  classes: fc.integer({ min: 1, max: 4 }),
  density: fc.constantFrom(0, 0.05, 0.3, 1),
  useL1: fc.boolean(),
  seed: fc.nat(1e6),
});

interface Inputs {
  raw: Float32Array;
  labels: Float32Array;
  assignment: Assignment;
}

/** Any anchor may learn any object: the loss takes an assignment as it comes. */
function makeInputs({ batch, classes, density, seed }: Case): Inputs {
  const random = new Random(seed);
  const total = batch * anchors.count;
  const raw = Float32Array.from({ length: total * (5 + classes) }, () => random.uniform(-2, 2));
  const labels = Array.from({ length: batch * ROWS }, () => [
    random.int(0, classes - 1),
    random.uniform(0, 64),
    random.uniform(0, 32),
    random.uniform(2, 60),
    random.uniform(2, 60),
  ]);
  const matchedGt = Int32Array.from({ length: total }, () => (random.chance(density) ? random.int(0, ROWS - 1) : -1));
  const matchedIou = Float32Array.from(matchedGt, (row) => (row < 0 ? 0 : random.uniform()));
  const numFg = matchedGt.filter((row) => row >= 0).length;
  return { raw, labels: Float32Array.from(labels.flat()), assignment: { matchedGt, matchedIou, numFg } };
}

function run(options: Case, { raw, labels, assignment }: Inputs): { losses: Losses; grad: Float32Array } {
  const tensor = tf.tensor3d(raw, [options.batch, anchors.count, 5 + options.classes]);
  const { losses, grad } = yoloxLoss(tensor, labels, assignment, anchors, options);
  assert.equal(grad.shape, tensor.shape);
  const values = grad.dataSync() as Float32Array;
  tf.dispose([tensor, grad]);
  return { losses, grad: values };
}

/** What one row of outputs, of the anchor at position `i` of the batch, adds to each loss. */
function define({ useL1 }: Case, { labels, assignment }: Inputs, i: number, row: ArrayLike<number>): Losses {
  const normalizer = Math.max(assignment.numFg, 1);
  const bce = (logit: number, target: number) => {
    const p = 1 / (1 + Math.exp(-logit));
    return -(target * Math.log(p) + (1 - target) * Math.log(1 - p)) / normalizer;
  };
  const [tx, ty, tw, th, objectness, ...logits] = Array.from(row);
  const g = assignment.matchedGt[i];
  const obj = bce(objectness, g < 0 ? 0 : 1);
  if (g < 0) return { total: obj, iou: 0, obj, cls: 0, l1: 0 };

  const at = (Math.floor(i / anchors.count) * ROWS + g) * 5;
  const [klass, cx, cy, w, h] = labels.subarray(at, at + 5);
  const [x, y, stride] = [anchors.x, anchors.y, anchors.stride].map((values) => values[i % anchors.count]);
  const [pw, ph] = [Math.exp(tw) * stride, Math.exp(th) * stride];
  const shared = (a: number, sizeA: number, b: number, sizeB: number) =>
    Math.max(0, Math.min(a + sizeA / 2, b + sizeB / 2) - Math.max(a - sizeA / 2, b - sizeB / 2));
  const both = shared((tx + x) * stride, pw, cx, w) * shared((ty + y) * stride, ph, cy, h);
  const iou = (5 * (1 - (both / (pw * ph + w * h - both)) ** 2)) / normalizer;
  const cls = logits.reduce((sum, logit, c) => sum + bce(logit, c === klass ? assignment.matchedIou[i] : 0), 0);
  const targets = [cx / stride - x, cy / stride - y, Math.log(w / stride + 1e-8), Math.log(h / stride + 1e-8)];
  const distance = targets.reduce((sum, target, k) => sum + Math.abs(row[k] - target), 0) / normalizer;
  const l1 = useL1 ? distance : 0;
  return { total: iou + obj + cls + l1, iou, obj, cls, l1 };
}

/** Its losses, and the gradient by central differences. */
function defineAll(options: Case, inputs: Inputs): { losses: Losses; grad: Float64Array } {
  const columns = 5 + options.classes;
  const losses: Losses = { total: 0, iou: 0, obj: 0, cls: 0, l1: 0 };
  const grad = new Float64Array(inputs.raw.length);
  for (let i = 0; i * columns < grad.length; i++) {
    const row = Float64Array.from(inputs.raw.subarray(i * columns, (i + 1) * columns));
    const parts = define(options, inputs, i, row);
    for (const part of Object.keys(losses) as (keyof Losses)[]) losses[part] += parts[part];
    for (let k = 0; k < columns; k++) {
      const total = (step: number) => define(options, inputs, i, row.with(k, row[k] + step)).total;
      grad[i * columns + k] = (total(STEP) - total(-STEP)) / (2 * STEP);
    }
  }
  return { losses, grad };
}

test('losses and gradient, with and without matched anchors and L1', () =>
  fc.assert(
    fc.property(cases, (options) => {
      const inputs = makeInputs(options);
      const ours = run(options, inputs);
      const theirs = defineAll(options, inputs);
      for (const [part, expected] of Object.entries(theirs.losses)) {
        const difference = Math.abs(ours.losses[part as keyof Losses] - expected);
        assert.ok(difference <= 1e-5 * expected, `${part} differs by ${difference}`);
      }
      const difference = maxDifference(ours.grad, theirs.grad);
      assert.ok(difference <= 1e-4 * maxAbs(theirs.grad), `gradient differs by ${difference}`);
    }),
    { numRuns: 60 },
  ));

test('extreme logits give finite losses and gradients', () =>
  fc.assert(
    fc.property(cases, fc.constantFrom(50, 1000), (options, extreme) => {
      const inputs = makeInputs(options);
      const columns = 5 + options.classes;
      inputs.raw.forEach((value, i) => {
        if (i % columns >= 4) inputs.raw[i] = extreme * Math.sign(value);
      });
      const { losses, grad } = run(options, inputs);
      assert.ok(Object.values(losses).every(Number.isFinite) && grad.every(Number.isFinite));
      // Each logit on the wrong side of its target costs as much as it is large.
      const wrong = inputs.assignment.matchedGt.filter((g, i) => inputs.raw[i * columns + 4] > 0 !== g >= 0).length;
      const expected = (extreme * wrong) / Math.max(inputs.assignment.numFg, 1);
      assert.ok(Math.abs(losses.obj - expected) <= 1e-5 * expected + 1e-6);
    }),
    { numRuns: 30 },
  ));

test('extreme box outputs give finite losses', () =>
  fc.assert(
    fc.property(cases, (options) => {
      const inputs = makeInputs(options);
      const { losses } = run(options, { ...inputs, raw: inputs.raw.map((value) => 50 * Math.sign(value)) });
      assert.ok(Object.values(losses).every(Number.isFinite));
    }),
    { numRuns: 30 },
  ));

test('no tensor is left behind', () => {
  for (const density of [0, 0.3]) {
    for (const useL1 of [false, true]) {
      const options = { batch: 2, classes: 3, density, useL1, seed: 1 };
      const inputs = makeInputs(options);
      const before = tf.memory().numTensors;
      run(options, inputs);
      assert.is(tf.memory().numTensors, before);
    }
  }
});

test.run();
