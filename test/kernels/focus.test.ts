import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { focus } from '../../src/kernels/focus/index.js';
import * as reference from '../../src/kernels/focus/reference.js';
import { nativeOps } from '../../src/kernels/native.js';
import { type Tensor, tf } from '../../src/kernels/tf.js';

const test = suite('focus');

for (const [name, ours] of Object.entries({ index: focus, reference: reference.focus })) {
  test(`${name}: patches top left, bottom left, top right, bottom right`, () => {
    tf.tidy(() => {
      // Two channels: the pixel's number, and its negative.
      const x = tf.tensor([0, 1, 2, 3, 4, 5, 6, 7].flatMap((i) => [i, -i - 1])).reshape([1, 2, 4, 2]);
      const y = ours(x);
      assert.equal(y.shape, [1, 1, 2, 8]);
      assert.equal(
        [...y.dataSync()],
        [0, 4, 1, 5, 2, 6, 3, 7].flatMap((i) => [i, -i - 1]),
      );
    });
  });
}

const sides = fc.nat(9).map((half) => 2 * half);
const cases = fc.record({ shape: fc.tuple(fc.nat(3), sides, sides, fc.nat(5)), seed: fc.nat(1e6) });

test('the same as the reference', () =>
  fc.assert(
    fc.property(cases, ({ shape, seed }) => {
      tf.tidy(() => {
        const x: Tensor = tf.randomNormal(shape, 0, 1, 'float32', seed);
        const [y, expected] = [focus(x), reference.focus(x)];
        assert.equal(y.shape, expected.shape);
        assert.equal(y.dataSync(), expected.dataSync());
      });
    }),
    { numRuns: 60 },
  ));

if (nativeOps) {
  test('an odd side is refused', () =>
    tf.tidy(() => {
      assert.throws(() => focus(tf.zeros([1, 3, 4, 3])), /YoloxFocus.*even H and W.*\[1,3,4,3\]/s);
      assert.throws(() => focus(tf.zeros([4, 4, 3])), /YoloxFocus|rank 4/);
    }));
}

test('no tensor is left behind', () => {
  const x = tf.ones([1, 4, 4, 3]);
  const before = tf.memory().numTensors;
  focus(x).dispose();
  assert.is(tf.memory().numTensors, before);
});

test.run();
