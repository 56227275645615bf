import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Conv2dOptions, conv2d, conv2dFilterGrad, conv2dInputGrad } from '../../src/kernels/conv2d/index.js';
import { type Tensor, type Tensor4D, tf } from '../../src/kernels/tf.js';
import { maxAbs, maxDifference } from '../golden/read.js';

const test = suite('convolution against tfjs on padded pictures');

/** Sides from 1 to 9, odd ones with stride 2 among them, and kernels larger than the picture. */
const cases = fc.record({
  batch: fc.integer({ min: 1, max: 3 }),
  height: fc.integer({ min: 1, max: 9 }),
  width: fc.integer({ min: 1, max: 9 }),
  channels: fc.integer({ min: 1, max: 6 }),
  outputs: fc.integer({ min: 1, max: 6 }),
  kernel: fc.constantFrom(1, 3, 5),
  stride: fc.constantFrom(1, 2),
  depthwise: fc.boolean(),
  seed: fc.nat(1e6),
});
type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never;

function makeInputs({ batch, height, width, channels, outputs, kernel, depthwise, seed }: Case): [Tensor4D, Tensor4D] {
  const filter = [kernel, kernel, channels, depthwise ? 1 : outputs];
  return [
    tf.randomNormal([batch, height, width, channels], 0, 1, 'float32', seed + 1),
    tf.randomNormal(filter as [number, number, number, number], 0, 1, 'float32', seed + 2),
  ];
}

/** Zeros of (kernel − 1) / 2 on every side, then no padding by the convolution. */
function plain(x: Tensor4D, filter: Tensor4D, { stride, depthwise }: Conv2dOptions): Tensor4D {
  const p = (filter.shape[0] - 1) / 2;
  const padded = tf.pad(x, [
    [0, 0],
    [p, p],
    [p, p],
    [0, 0],
  ]);
  return depthwise ? tf.depthwiseConv2d(padded, filter, stride, 'valid') : tf.conv2d(padded, filter, stride, 'valid');
}

function assertClose(ours: Tensor, theirs: Tensor, what: string): void {
  assert.equal(ours.shape, theirs.shape);
  const expected = theirs.dataSync();
  const difference = maxDifference(ours.dataSync(), expected);
  assert.ok(difference <= 1e-5 * Math.max(1, maxAbs(expected)), `${what} differs by ${difference}`);
}

test('outputs and both gradients', () =>
  fc.assert(
    fc.property(cases, (options) => {
      tf.tidy(() => {
        const [x, filter] = makeInputs(options);
        const y = conv2d(x, filter, options);
        assertClose(y, plain(x, filter, options), 'y');
        const dy = tf.randomNormal(y.shape, 0, 1, 'float32', options.seed + 3);
        const loss = (x: Tensor, filter: Tensor) =>
          plain(x as Tensor4D, filter as Tensor4D, options)
            .mul(dy)
            .sum();
        const [dx, dfilter] = tf.grads(loss)([x, filter]);
        assertClose(conv2dInputGrad(x.shape, filter, dy, options), dx, 'input gradient');
        assertClose(conv2dFilterGrad(x, filter, dy, options), dfilter, 'filter gradient');
      });
    }),
    { numRuns: 100 },
  ));

test('a kernel with one 1 moves the picture: no flip, rows before columns', () => {
  tf.tidy(() => {
    const x = tf.tensor4d([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 3, 3, 1]);
    const takesRight = tf.tensor4d([0, 0, 0, 0, 0, 1, 0, 0, 0], [3, 3, 1, 1]);
    const at = (stride: number) => Array.from(conv2d(x, takesRight, { stride, depthwise: false }).dataSync());
    assert.equal(at(1), [2, 3, 0, 5, 6, 0, 8, 9, 0]);
    assert.equal(at(2), [2, 0, 8, 0]);
  });
});

test('no tensor is left behind', () => {
  for (const depthwise of [false, true]) {
    const x = tf.ones([1, 4, 4, 2]);
    const filter = tf.ones([3, 3, 2, depthwise ? 1 : 2]);
    const before = tf.memory().numTensors;
    const options = { stride: 1, depthwise };
    const y = conv2d(x, filter, options);
    tf.dispose([y, conv2dInputGrad(x.shape, filter, y, options), conv2dFilterGrad(x, filter, y, options)]);
    assert.is(tf.memory().numTensors, before);
  }
});

test.run();
