import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { batchNormSilu } from '../../src/kernels/batch_norm_silu/reference.js';
import * as chosen from '../../src/kernels/conv2d/index.js';
import * as reference from '../../src/kernels/conv2d/reference.js';
import { nativeOps } from '../../src/kernels/native.js';
import { type Tensor, type Tensor4D, tf } from '../../src/kernels/tf.js';
import { maxAbs, maxDifference } from '../support/golden.js';

const test = suite('convolution against tfjs on padded images');
const implementations = { chosen, reference };

/** Sides from 1 to 9, odd ones with stride 2 among them, kernels larger than the image, narrow and wide channels. */
const channels = fc.oneof(fc.integer({ min: 1, max: 6 }), fc.constantFrom(16, 32, 48, 64));
const cases = fc.record({
  batch: fc.integer({ min: 1, max: 3 }),
  height: fc.integer({ min: 1, max: 9 }),
  width: fc.integer({ min: 1, max: 9 }),
  channels,
  outputs: channels,
  kernel: fc.constantFrom(1, 3, 5),
  stride: fc.constantFrom(1, 2),
  depthwise: fc.boolean(),
  seed: fc.nat(1e6),
});
type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never;

const EXAMPLE: Case = {
  batch: 2,
  height: 8,
  width: 8,
  channels: 3,
  outputs: 3,
  kernel: 3,
  stride: 1,
  depthwise: false,
  seed: 1,
};

function makeInputs({ batch, height, width, channels, outputs, kernel, depthwise, seed }: Case): [Tensor4D, Tensor4D] {
  const filter = [kernel, kernel, channels, depthwise ? 1 : outputs];
  return [
    tf.randomNormal([batch, height, width, channels], 0, 1, 'float32', seed + 1),
    tf.randomNormal(filter as [number, number, number, number], 0, 1, 'float32', seed + 2),
  ];
}

/** Zeros of (kernel − 1) / 2 on every side, then no padding by the convolution. */
function plain(x: Tensor4D, filter: Tensor4D, { stride, depthwise }: chosen.Conv2dOptions): Tensor4D {
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
  assert.ok(difference <= 2e-5 * Math.max(1, maxAbs(expected)), `${what} differs by ${difference}`);
}

for (const [name, { conv2d, conv2dBatchNormSilu, conv2dFilterGrad, conv2dInputGrad }] of Object.entries(
  implementations,
)) {
  test(`${name}: outputs and gradients`, () =>
    fc.assert(
      fc.property(cases, (options) => {
        tf.tidy(() => {
          const [x, filter] = makeInputs(options);
          const bias = tf.randomNormal([plain(x, filter, options).shape[3]], 0, 1, 'float32', options.seed + 4);
          const y = conv2d(x, filter, options, bias);
          assertClose(y, plain(x, filter, options).add(bias), 'y');
          const dy = tf.randomNormal(y.shape, 0, 1, 'float32', options.seed + 3);
          const loss = (x: Tensor, filter: Tensor) =>
            plain(x as Tensor4D, filter as Tensor4D, options)
              .mul(dy)
              .sum();
          const [dx, dfilter] = tf.grads(loss)([x, filter]);
          assertClose(conv2dInputGrad(x.shape, filter, dy, options), dx, 'input gradient');
          const gradients = conv2dFilterGrad(x, filter, dy, options, true);
          assertClose(gradients.dfilter, dfilter, 'filter gradient');
          assertClose(gradients.dbias as Tensor, dy.sum([0, 1, 2]), 'bias gradient');
        });
      }),
      { numRuns: 60 },
    ));

  test(`${name}: with batch norm and SiLU for inference`, () =>
    fc.assert(
      fc.property(cases, (options) => {
        tf.tidy(() => {
          const [x, filter] = makeInputs(options);
          const convolved = plain(x, filter, options);
          const vector = (low: number, i: number) =>
            tf.randomUniform([convolved.shape[3]], low, 2, 'float32', options.seed + i);
          const parameters = {
            gamma: vector(-2, 5),
            beta: vector(-2, 6),
            mean: vector(-2, 7),
            variance: vector(0.1, 8),
          };
          const { y } = batchNormSilu(convolved, parameters, false);
          assertClose(conv2dBatchNormSilu(x, filter, parameters, options), y, 'y');
        });
      }),
      { numRuns: 30 },
    ));

  test(`${name}: a kernel with one 1 moves the image: no flip, rows before columns`, () => {
    tf.tidy(() => {
      const x = tf.tensor4d([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 3, 3, 1]);
      const takesRight = tf.tensor4d([0, 0, 0, 0, 0, 1, 0, 0, 0], [3, 3, 1, 1]);
      const at = (stride: number) => Array.from(conv2d(x, takesRight, { stride, depthwise: false }).dataSync());
      assert.equal(at(1), [2, 3, 0, 5, 6, 0, 8, 9, 0]);
      assert.equal(at(2), [2, 0, 8, 0]);
    });
  });

  test(`${name}: NaN and infinity reach the outputs they touch`, () => {
    tf.tidy(() => {
      const values = new Float32Array(8 * 8 * 32).fill(1);
      values[0] = Number.NaN;
      values[values.length - 1] = Number.POSITIVE_INFINITY;
      const filter = tf.ones([3, 3, 32, 32]);
      const y = conv2d(tf.tensor(values, [1, 8, 8, 32]), filter, { stride: 1, depthwise: false });
      const corner = (row: number) => y.slice([0, row, row, 0], [1, 1, 1, 1]).dataSync()[0];
      assert.ok(Number.isNaN(corner(0)));
      assert.not.ok(Number.isFinite(corner(7)));
    });
  });

  test(`${name}: no tensor is left behind`, () => {
    for (const depthwise of [false, true]) {
      const x = tf.ones([1, 4, 4, 2]);
      const filter = tf.ones([3, 3, 2, depthwise ? 1 : 2]);
      const before = tf.memory().numTensors;
      const options = { stride: 1, depthwise };
      const y = conv2d(x, filter, options);
      const { dfilter } = conv2dFilterGrad(x, filter, y, options);
      tf.dispose([y, conv2dInputGrad(x.shape, filter, y, options), dfilter]);
      assert.is(tf.memory().numTensors, before);
    }
  });
}

test('the same bits every time', () => {
  tf.tidy(() => {
    const [x, filter] = makeInputs({ ...EXAMPLE, channels: 64, outputs: 64, height: 26, width: 26 });
    const options = { stride: 1, depthwise: false };
    const run = () => {
      const y = chosen.conv2d(x, filter, options);
      return [
        y,
        chosen.conv2dInputGrad(x.shape, filter, y, options),
        chosen.conv2dFilterGrad(x, filter, y, options).dfilter,
      ];
    };
    const first = run().map((tensor) => tensor.dataSync());
    for (const [i, tensor] of run().entries()) assert.equal(tensor.dataSync(), first[i]);
  });
});

test('no images, no output; filter gradient of nothing is zero', () => {
  tf.tidy(() => {
    const options = { stride: 1, depthwise: false };
    const [x, filter] = [tf.zeros([0, 4, 4, 3]), tf.ones([3, 3, 3, 5])];
    const y = chosen.conv2d(x, filter, options);
    assert.equal(y.shape, [0, 4, 4, 5]);
    assert.equal(chosen.conv2dInputGrad(x.shape, filter, y, options).shape, x.shape);
    if (nativeOps) assert.is(maxAbs(chosen.conv2dFilterGrad(x, filter, y, options).dfilter.dataSync()), 0);
  });
});

if (nativeOps) {
  test('shapes that do not fit are named', () => {
    const options = { stride: 1, depthwise: false };
    const x = tf.zeros([1, 4, 4, 3]);
    const refused = (filter: number[], expected: RegExp, bias?: number[]) =>
      assert.throws(() => chosen.conv2d(x, tf.zeros(filter), options, bias && tf.zeros(bias)), expected);
    refused([3, 3, 4, 5], /expected filter of shape \[k,k,3,O\] with an odd k, received \[3,3,4,5\]/);
    refused([2, 2, 3, 5], /with an odd k, received \[2,2,3,5\]/);
    refused([3, 3, 3, 5], /expected bias of shape \[5\], received \[4\]/, [4]);
    assert.throws(
      () => chosen.conv2dInputGrad([1, 4, 4, 3], tf.zeros([3, 3, 3, 5]), tf.zeros([1, 5, 4, 5]), options),
      /expected dy of shape \[1,4,4,5\], received \[1,5,4,5\]/,
    );
  });
}

test.run();
