import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../src/base/random.js';
import { anchorGrid } from '../../src/config/network.js';
import { nativeOps } from '../../src/kernels/native.js';
import { tf } from '../../src/kernels/tf.js';
import { type Losses, readLosses, yoloxLoss } from '../../src/kernels/yolox_loss/index.js';
import * as reference from '../../src/kernels/yolox_loss/reference.js';
import { maxAbs, maxDifference } from '../support/golden.js';

const test = suite('loss against its definition in double precision');

/** Whatever computes by default, and the composed version. */
const IMPLEMENTATIONS = { default: yoloxLoss, reference: reference.yoloxLoss };
type Implementation = keyof typeof IMPLEMENTATIONS;
const implementations = Object.keys(IMPLEMENTATIONS) as Implementation[];

const anchors = anchorGrid(32, 64);
const ROWS = 6;
/** Of the differences: more than single precision moves a corner of IoU or L1 by, far less than slopes change over. */
const STEP = 1e-5;

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
  assignment: { matchedGt: Int32Array; matchedIou: Float32Array; numFg: number };
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

interface Result {
  losses: Losses;
  grad: Float32Array;
}

function run(options: Case, { raw, labels, assignment }: Inputs, by: Implementation = 'default'): Result {
  const { batch, classes } = options;
  const tensor = tf.tensor3d(raw, [batch, anchors.count, 5 + classes]);
  const objects = tf.tensor3d(labels, [batch, ROWS, 5]);
  const matches = {
    matchedGt: tf.tensor2d(Float32Array.from(assignment.matchedGt), [batch, anchors.count]),
    matchedIou: tf.tensor2d(assignment.matchedIou, [batch, anchors.count]),
    numFg: tf.tensor1d([assignment.numFg]),
  };
  const result = IMPLEMENTATIONS[by](tensor, objects, matches, anchors, options);
  assert.equal(result.losses.shape, [5]);
  assert.equal(result.grad.shape, tensor.shape);
  const values = { losses: readLosses(result.losses), grad: result.grad.dataSync() as Float32Array };
  tf.dispose([tensor, objects, matches, result]);
  return values;
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
  const [px, py] = [(tx + x) * stride, (ty + y) * stride];
  const shared = (a: number, sizeA: number, b: number, sizeB: number) =>
    Math.max(0, Math.min(a + sizeA / 2, b + sizeB / 2) - Math.max(a - sizeA / 2, b - sizeB / 2));
  const both = shared(px, pw, cx, w) * shared(py, ph, cy, h);
  const either = pw * ph + w * h - both;
  const boxLoss = 1 - (both / either) ** 2;
  const iou = (5 * boxLoss) / normalizer;
  const cls = logits.reduce((sum, logit, c) => sum + bce(logit, c === klass ? assignment.matchedIou[i] : 0), 0);
  const targets = [cx / stride - x, cy / stride - y, Math.log(w / stride + 1e-8), Math.log(h / stride + 1e-8)];
  const distance = targets.reduce((sum, target, k) => sum + Math.abs(row[k] - target), 0) / normalizer;
  const l1 = useL1 ? distance : 0;
  return { total: iou + obj + cls + l1, iou, obj, cls, l1 };
}

/**
 * Its losses, and each slope of the total a step to the left and to the right. The gradient is between the two: they
 * agree, or there is a corner within a step, on either side of which single precision may put the point.
 */
function defineAll(options: Case, inputs: Inputs): { losses: Losses; slopes: [left: number, right: number][] } {
  const columns = 5 + options.classes;
  const losses: Losses = { total: 0, iou: 0, obj: 0, cls: 0, l1: 0 };
  const slopes: [number, number][] = [];
  for (let i = 0; i * columns < inputs.raw.length; i++) {
    const row = Float64Array.from(inputs.raw.subarray(i * columns, (i + 1) * columns));
    const parts = define(options, inputs, i, row);
    for (const part of Object.keys(losses) as (keyof Losses)[]) losses[part] += parts[part];
    for (let k = 0; k < columns; k++) {
      const total = (steps: number) => define(options, inputs, i, row.with(k, row[k] + steps * STEP)).total;
      slopes.push([(total(-1) - total(-2)) / STEP, (total(2) - total(1)) / STEP]);
    }
  }
  return { losses, slopes };
}

for (const by of implementations) {
  test(`${by}: losses and gradient, with and without matched anchors and L1`, () =>
    fc.assert(
      fc.property(cases, (options) => {
        const inputs = makeInputs(options);
        const ours = run(options, inputs, by);
        const theirs = defineAll(options, inputs);
        for (const [part, expected] of Object.entries(theirs.losses)) {
          const difference = Math.abs(ours.losses[part as keyof Losses] - expected);
          assert.ok(difference <= 1e-5 * expected, `${part} differs by ${difference}`);
        }
        const allowed = 1e-4 * maxAbs(theirs.slopes.flat());
        theirs.slopes.forEach(([left, right], i) => {
          const [low, high] = [Math.min(left, right) - allowed, Math.max(left, right) + allowed];
          assert.ok(low <= ours.grad[i] && ours.grad[i] <= high, `gradient ${i}: ${ours.grad[i]}, not ${low}…${high}`);
        });
      }),
      { numRuns: 40 },
    ));
}

test('agrees with the composed version, which tfjs differentiates', () =>
  fc.assert(
    fc.property(cases, fc.integer({ min: 1, max: 300 }), (options, classes) => {
      const wide = { ...options, classes };
      const inputs = makeInputs(wide);
      const [ours, theirs] = [run(wide, inputs), run(wide, inputs, 'reference')];
      for (const [part, expected] of Object.entries(theirs.losses)) {
        const difference = Math.abs(ours.losses[part as keyof Losses] - expected);
        assert.ok(difference <= 1e-5 * expected, `${part} differs by ${difference}`);
      }
      assert.ok(maxDifference(ours.grad, theirs.grad) <= 1e-5 * maxAbs(theirs.grad));
    }),
    { numRuns: 30 },
  ));

test('extreme logits give finite losses and gradients', () =>
  fc.assert(
    fc.property(cases, fc.constantFrom(...implementations), fc.constantFrom(50, 1000), (options, by, extreme) => {
      const inputs = makeInputs(options);
      const columns = 5 + options.classes;
      inputs.raw.forEach((value, i) => {
        if (i % columns >= 4) inputs.raw[i] = extreme * Math.sign(value);
      });
      const { losses, grad } = run(options, inputs, by);
      assert.ok(Object.values(losses).every(Number.isFinite) && grad.every(Number.isFinite));
      // Each logit on the wrong side of its target costs as much as it is large.
      const wrong = inputs.assignment.matchedGt.filter((g, i) => inputs.raw[i * columns + 4] > 0 !== g >= 0).length;
      const expected = (extreme * wrong) / Math.max(inputs.assignment.numFg, 1);
      assert.ok(Math.abs(losses.obj - expected) <= 1e-5 * expected + 1e-6);
    }),
    { numRuns: 30 },
  ));

test('extreme box outputs give finite losses and gradients', () =>
  fc.assert(
    fc.property(cases, fc.constantFrom(...implementations), fc.constantFrom(50, 1e6), (options, by, extreme) => {
      const inputs = makeInputs(options);
      const { losses, grad } = run(options, { ...inputs, raw: inputs.raw.map((x) => extreme * Math.sign(x)) }, by);
      assert.ok(Object.values(losses).every(Number.isFinite) && grad.every(Number.isFinite));
      // Beyond e^±40 strides there is nothing for IoU to tell apart; L1 still pulls.
      if (options.useL1) return;
      const columns = 5 + options.classes;
      grad.forEach((value, i) => {
        if (i % columns === 2 || i % columns === 3) assert.is(Math.abs(value), 0);
      });
    }),
    { numRuns: 40 },
  ));

test('an output that is no number shows in the loss it belongs to, and in its own gradient alone', () => {
  const options: Case = { batch: 1, classes: 3, density: 0.3, useL1: true, seed: 5 };
  const inputs = makeInputs(options);
  const anchor = inputs.assignment.matchedGt.findIndex((row) => row >= 0);
  const columns = 5 + options.classes;
  for (const [column, part] of [
    [0, 'iou'],
    [2, 'l1'],
    [4, 'obj'],
    [6, 'cls'],
  ] as const) {
    const at = anchor * columns + column;
    for (const by of implementations) {
      const { losses, grad } = run(options, { ...inputs, raw: inputs.raw.with(at, Number.NaN) }, by);
      assert.ok(Number.isNaN(losses.total));
      // TensorFlow's maximum of a NaN and a number may be the number.
      if (nativeOps && by === 'default') assert.ok(Number.isNaN(losses[part]) && Number.isNaN(grad[at]));
      assert.ok(grad.every((value, i) => Math.floor(i / columns) === anchor || Number.isFinite(value)));
    }
  }
});

test('the same again gives the same bits', () => {
  const options: Case = { batch: 2, classes: 80, density: 0.2, useL1: true, seed: 7 };
  const inputs = makeInputs(options);
  const first = run(options, inputs);
  for (let i = 0; i < 5; i++) assert.equal(run(options, inputs), first);
});

if (nativeOps) {
  test('rows beyond the labels are background, classes beyond C no target', () => {
    const options: Case = { batch: 2, classes: 3, density: 0.5, useL1: true, seed: 8 };
    const inputs = makeInputs(options);
    const { matchedGt } = inputs.assignment;
    const foreign = matchedGt.map((row, i) => (row >= 0 && i % 3 === 0 ? ROWS + i : row));
    const background = foreign.map((row) => (row < ROWS ? row : -1));
    const results = [foreign, background].map((rows) =>
      run(options, { ...inputs, assignment: { ...inputs.assignment, matchedGt: rows } }),
    );
    assert.equal(results[0], results[1]);
    const unknown = inputs.labels.map((value, i) => (i % 5 === 0 ? options.classes + value : value));
    const { losses, grad } = run(options, { ...inputs, labels: unknown });
    assert.ok(Object.values(losses).every(Number.isFinite) && grad.every(Number.isFinite));
  });

  test('shapes that do not fit are refused, with what was expected and received', () => {
    const refused = (shapes: number[][], message: RegExp) => {
      const [raw, labels, matchedGt, matchedIou, numFg] = shapes.map((shape) => tf.zeros(shape));
      const assignment = { matchedGt, matchedIou, numFg };
      assert.throws(() => yoloxLoss(raw, labels, assignment, anchors, { classes: 3, useL1: false }), message);
    };
    const n = anchors.count;
    refused(
      [[2, 9, 8], [2, 1, 5], [2, n], [2, n], [1]],
      /YoloxLoss: expected raw of shape \[N,42,5\+C\], received \[2,9,8\]/,
    );
    refused([[2, n, 8], [1, 1, 5], [2, n], [2, n], [1]], /expected labels of shape \[2,M,5\], received \[1,1,5\]/);
    refused([[2, n, 8], [2, 1, 5], [2, 3], [2, n], [1]], /expected matched_gt of shape \[2,42\], received \[2,3\]/);
    refused([[2, n, 8], [2, 1, 5], [2, n], [n], [1]], /expected matched_iou of shape \[2,42\], received \[42\]/);
    refused([[2, n, 8], [2, 1, 5], [2, n], [2, n], [2]], /expected num_fg of shape \[1\], received \[2\]/);
  });
}

test('no tensor is left behind', () => {
  for (const density of [0, 0.3]) {
    for (const by of implementations) {
      const options = { batch: 2, classes: 3, density, useL1: true, seed: 1 };
      const inputs = makeInputs(options);
      const before = tf.memory().numTensors;
      run(options, inputs, by);
      assert.is(tf.memory().numTensors, before);
    }
  }
});

test.run();
