import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { nativeOps } from '../../src/kernels/native.js';
import { spp, sppGrad } from '../../src/kernels/spp/index.js';
import * as reference from '../../src/kernels/spp/reference.js';
import { type Tensor, tf } from '../../src/kernels/tf.js';
import { maxDifference } from '../support/golden.js';

const test = suite('pyramid pooling');

const side = fc.integer({ min: 1, max: 20 });
const cases = fc.record({
  shape: fc.tuple(fc.integer({ min: 1, max: 3 }), side, side, fc.integer({ min: 1, max: 40 })),
  seed: fc.nat(1e6),
  /** Few different values, so that maxima tie. */
  ties: fc.boolean(),
});

function makeInputs([n, h, w, c]: number[], seed: number, ties = false): { x: Tensor; dy: Tensor } {
  const x: Tensor = tf.randomNormal([n, h, w, c], 0, 1, 'float32', seed);
  return { x: ties ? x.round() : x, dy: tf.randomNormal([n, h, w, 4 * c], 0, 1, 'float32', seed + 1) };
}

test('the same as the reference, forward and backward', () =>
  fc.assert(
    fc.property(cases, ({ shape, seed, ties }) => {
      tf.tidy(() => {
        const { x, dy } = makeInputs(shape, seed, ties);
        const [ours, theirs] = [spp(x), reference.spp(x)];
        assert.equal(ours.y.shape, theirs.y.shape);
        assert.equal(ours.y.dataSync(), theirs.y.dataSync());
        const [dx, expected] = [sppGrad(dy, x, ours.saved), reference.sppGrad(dy, x, theirs.saved)];
        assert.equal(dx.shape, x.shape);
        assert.ok(maxDifference(dx.dataSync(), expected.dataSync()) <= 1e-4);
      });
    }),
    { numRuns: 60 },
  ));

test('of equal values the first in row-major order gets the gradient', () => {
  for (const { spp: forward, sppGrad: backward } of [{ spp, sppGrad }, reference]) {
    tf.tidy(() => {
      const x = tf.ones([1, 3, 3, 1]);
      const dy = tf.ones([1, 3, 3, 4]);
      // Every window holds the first of the nine values; so do nine windows of each size, and each value itself.
      assert.equal([...backward(dy, x, forward(x).saved).dataSync()], [28, 1, 1, 1, 1, 1, 1, 1, 1]);
    });
  }
});

test('gradient against finite differences', () =>
  tf.tidy(() => {
    const [h, w] = [5, 6];
    // Values far apart: a small step changes no maximum.
    const values = Array.from({ length: h * w }, (_, i) => (i * 17) % (h * w));
    const x = tf.tensor4d(values, [1, h, w, 1]);
    const { dy } = makeInputs([1, h, w, 1], 3);
    const weights = dy.dataSync();
    const loss = (at: number[]): number => {
      let sum = 0;
      for (let i = 0; i < h * w; i++) {
        for (let pool = 0; pool < 4; pool++) sum += weights[4 * i + pool] * maximum(at, i, w, h, 2 * pool);
      }
      return sum;
    };
    const dx = sppGrad(dy, x, spp(x).saved).dataSync();
    const step = 1e-3;
    for (let i = 0; i < h * w; i++) {
      const moved = (by: number) => loss(values.map((value, j) => (j === i ? value + by : value)));
      assert.ok(Math.abs((moved(step) - moved(-step)) / (2 * step) - dx[i]) <= 1e-4, `value ${i}`);
    }
  }));

/** Greatest of the values at most `reach` rows and columns away. */
function maximum(values: readonly number[], at: number, width: number, height: number, reach: number): number {
  const [row, column] = [Math.floor(at / width), at % width];
  let best = -Infinity;
  for (let i = Math.max(0, row - reach); i <= Math.min(height - 1, row + reach); i++) {
    for (let j = Math.max(0, column - reach); j <= Math.min(width - 1, column + reach); j++) {
      best = Math.max(best, values[i * width + j]);
    }
  }
  return best;
}

if (nativeOps) {
  test('NaN reaches every window that holds it, and their gradient goes to the first NaN', () =>
    tf.tidy(() => {
      const x = tf.tensor4d([1, 2, Number.NaN, Number.NaN, 5, 6, 7, Infinity], [1, 1, 8, 1]);
      const { y, saved } = spp(x);
      const fives = [...y.dataSync()].filter((_, i) => i % 4 === 1);
      assert.equal(fives, [...Array(6).fill(Number.NaN), Infinity, Infinity]);
      const dx = sppGrad(tf.ones([1, 1, 8, 4]), x, saved).dataSync();
      assert.equal([...dx], [1, 1, 1 + 5 + 7 + 8, 1 + 1 + 1, 1, 1, 1, 1 + 2]);
    }));

  test('shapes that do not fit are refused', () =>
    tf.tidy(() => {
      const x = tf.zeros([1, 2, 2, 3]);
      assert.throws(() => spp(tf.zeros([2, 2, 3])), /rank 4|YoloxSpp/);
      const { saved } = spp(x);
      assert.throws(() => sppGrad(tf.zeros([1, 2, 2, 8]), x, saved), /YoloxSppGrad.*\[1,2,2,6\].*\[1,2,2,9\]/s);
    }));

  test('nothing in, nothing out', () =>
    tf.tidy(() => {
      const { y, saved } = spp(tf.zeros([0, 3, 3, 4]));
      assert.equal(y.shape, [0, 3, 3, 16]);
      assert.equal(sppGrad(y, tf.zeros([0, 3, 3, 4]), saved).shape, [0, 3, 3, 4]);
    }));
}

test('no tensor is left behind', () => {
  const { x, dy } = makeInputs([1, 4, 4, 3], 1);
  const before = tf.memory().numTensors;
  const { y, saved } = spp(x);
  const dx = sppGrad(dy, x, saved);
  tf.dispose([y, dx, ...saved]);
  assert.is(tf.memory().numTensors, before);
});

test.run();
