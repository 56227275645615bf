import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, concatGrad } from '../../src/kernels/concat/index.js';
import * as reference from '../../src/kernels/concat/reference.js';
import { nativeOps } from '../../src/kernels/native.js';
import { type Tensor, tf } from '../../src/kernels/tf.js';

const test = suite('concat');

const side = fc.integer({ min: 1, max: 7 });
const cases = fc.record({
  outer: fc.tuple(fc.nat(3), side, side),
  sizes: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 2, maxLength: 4 }),
  seed: fc.nat(1e6),
});

const random = (shape: number[], seed: number): Tensor => tf.randomNormal(shape, 0, 1, 'float32', seed);

test('the same as the reference, forward and backward', () =>
  fc.assert(
    fc.property(cases, ({ outer, sizes, seed }) => {
      tf.tidy(() => {
        const xs = sizes.map((size, i) => random([...outer, size], seed + i));
        const [y, expected] = [concat(xs), reference.concat(xs)];
        assert.equal(y.shape, expected.shape);
        assert.equal(y.dataSync(), expected.dataSync());
        const [grads, parts] = [concatGrad(y, sizes), reference.concatGrad(y, sizes)];
        for (const [i, grad] of grads.entries()) {
          assert.equal(grad.shape, xs[i].shape);
          assert.equal(grad.dataSync(), xs[i].dataSync());
          assert.equal(parts[i].dataSync(), xs[i].dataSync());
        }
      });
    }),
    { numRuns: 60 },
  ));

test('many rows, on several threads', () =>
  tf.tidy(() => {
    const xs = [random([3, 64, 65, 32], 1), random([3, 64, 65, 7], 2)];
    const y = concat(xs);
    assert.equal(y.dataSync(), reference.concat(xs).dataSync());
    for (const [i, grad] of concatGrad(y, [32, 7]).entries()) assert.equal(grad.dataSync(), xs[i].dataSync());
  }));

test('NaN and infinities pass', () =>
  tf.tidy(() => {
    const y = concat([tf.tensor4d([Number.NaN], [1, 1, 1, 1]), tf.tensor4d([-Infinity, 0], [1, 1, 1, 2])]);
    assert.equal([...y.dataSync()], [Number.NaN, -Infinity, 0]);
  }));

if (nativeOps) {
  test('shapes that do not fit are refused', () =>
    tf.tidy(() => {
      const x = tf.zeros([1, 2, 2, 3]);
      assert.throws(() => concat([x, tf.zeros([1, 2, 3, 3])]), /YoloxConcat.*\[1,2,2,3\].*\[1,2,3,3\]/s);
      assert.throws(() => concat([x, tf.zeros([2, 2, 3])]), /YoloxConcat/);
      assert.throws(() => concat([x, x, x, x, x]), /at most 4 parts, received 5/);
      assert.throws(() => concatGrad(x, [1, 1]), /YoloxConcatGrad.*\[\.\.\.,2\].*\[1,2,2,3\]/s);
    }));
}

test('no tensor is left behind', () => {
  const x = tf.ones([1, 2, 2, 3]);
  const before = tf.memory().numTensors;
  const y = concat([x, x]);
  tf.dispose([y, ...concatGrad(y, [3, 3])]);
  assert.is(tf.memory().numTensors, before);
});

test.run();
