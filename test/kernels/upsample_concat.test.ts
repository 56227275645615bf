import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { nativeOps } from '../../src/kernels/native.js';
import { type Tensor, type Tensor4D, tf } from '../../src/kernels/tf.js';
import { upsampleConcat, upsampleConcatGrad } from '../../src/kernels/upsample_concat/index.js';
import * as reference from '../../src/kernels/upsample_concat/reference.js';
import { maxDifference } from '../support/golden.js';

const test = suite('upsample and concat');

const side = fc.integer({ min: 1, max: 7 });
const channels = fc.integer({ min: 1, max: 40 });
const cases = fc.record({
  coarse: fc.tuple(fc.nat(3), side, side, channels),
  channels,
  seed: fc.nat(1e6),
});

const random = (shape: number[], seed: number): Tensor => tf.randomNormal(shape, 0, 1, 'float32', seed);

function makeInputs([n, h, w, c]: number[], channels: number, seed: number) {
  return {
    coarse: random([n, h, w, c], seed),
    fine: random([n, 2 * h, 2 * w, channels], seed + 1),
    dy: random([n, 2 * h, 2 * w, c + channels], seed + 2),
  };
}

test('the same as the reference, forward and backward', () =>
  fc.assert(
    fc.property(cases, ({ coarse: shape, channels, seed }) => {
      tf.tidy(() => {
        const { coarse, fine, dy } = makeInputs(shape, channels, seed);
        const [y, expected] = [upsampleConcat(coarse, fine), reference.upsampleConcat(coarse, fine)];
        assert.equal(y.shape, expected.shape);
        assert.equal(y.dataSync(), expected.dataSync());
        const [ours, theirs] = [upsampleConcatGrad(dy, shape[3]), reference.upsampleConcatGrad(dy, shape[3])];
        assert.equal(ours.dcoarse.shape, coarse.shape);
        assert.equal(ours.dfine.shape, fine.shape);
        assert.equal(ours.dfine.dataSync(), theirs.dfine.dataSync());
        assert.ok(maxDifference(ours.dcoarse.dataSync(), theirs.dcoarse.dataSync()) <= 1e-6);
      });
    }),
    { numRuns: 60 },
  ));

test('gradients as tfjs derives them', () =>
  tf.tidy(() => {
    const { coarse, fine, dy } = makeInputs([2, 3, 5, 7], 4, 1);
    const plain = (a: Tensor, b: Tensor) =>
      tf.concat([tf.image.resizeNearestNeighbor(a as Tensor4D, [6, 10]), b as Tensor4D], 3);
    const [da, db] = tf.grads(plain)([coarse, fine], dy as Tensor4D);
    const { dcoarse, dfine } = upsampleConcatGrad(dy, 7);
    assert.ok(maxDifference(dcoarse.dataSync(), da.dataSync()) <= 1e-6);
    assert.equal(dfine.dataSync(), db.dataSync());
  }));

test('NaN and infinities pass', () =>
  tf.tidy(() => {
    const coarse = tf.tensor4d([Number.NaN], [1, 1, 1, 1]);
    const y = upsampleConcat(coarse, tf.fill([1, 2, 2, 1], Infinity));
    assert.equal([...y.dataSync()], Array(4).fill([Number.NaN, Infinity]).flat());
    const { dcoarse } = upsampleConcatGrad(tf.tensor4d([1, Infinity, 2, -Infinity], [1, 2, 2, 1]), 1);
    assert.ok(Number.isNaN(dcoarse.dataSync()[0]));
  }));

if (nativeOps) {
  test('shapes that do not fit are refused', () =>
    tf.tidy(() => {
      const coarse = tf.zeros([1, 2, 2, 3]);
      assert.throws(
        () => upsampleConcat(coarse, tf.zeros([1, 4, 5, 3])),
        /YoloxUpsampleConcat.*fine.*\[1,4,4,3\].*\[1,4,5,3\]/s,
      );
      assert.throws(() => upsampleConcatGrad(tf.zeros([1, 3, 4, 3]), 1), /YoloxUpsampleConcatGrad|divisible/);
      assert.throws(() => upsampleConcatGrad(tf.zeros([1, 4, 4, 3]), 4), /YoloxUpsampleConcatGrad|negative/);
    }));
}

test('no tensor is left behind', () => {
  const { coarse, fine, dy } = makeInputs([1, 2, 2, 3], 4, 1);
  const before = tf.memory().numTensors;
  upsampleConcat(coarse, fine).dispose();
  tf.dispose(Object.values(upsampleConcatGrad(dy, 3)));
  assert.is(tf.memory().numTensors, before);
});

test.run();
