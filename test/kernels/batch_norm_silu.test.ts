import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BATCH_NORM_EPSILON } from '../../src/config/network.js';
import { type BatchNormParameters, batchNormSilu, batchNormSiluGrad } from '../../src/kernels/batch_norm_silu/index.js';
import { type Tensor, tf } from '../../src/kernels/tf.js';
import { maxAbs, maxDifference } from '../golden/read.js';

const test = suite('batch norm and SiLU against plain tfjs');

/** Odd and even sides down to a single value a channel. */
const shapes = fc.tuple(
  fc.integer({ min: 1, max: 3 }),
  fc.integer({ min: 1, max: 7 }),
  fc.integer({ min: 1, max: 7 }),
  fc.integer({ min: 1, max: 9 }),
);
const cases = fc.record({ shape: shapes, seed: fc.nat(1e6), training: fc.boolean() });

interface Inputs extends BatchNormParameters {
  x: Tensor;
  dy: Tensor;
}

function makeInputs(shape: number[], seed: number): Inputs {
  const channels = [shape[3]];
  return {
    x: tf.randomNormal(shape, 3, 2, 'float32', seed + 1),
    dy: tf.randomNormal(shape, 0, 1, 'float32', seed + 2),
    gamma: tf.randomNormal(channels, 0, 1, 'float32', seed + 3),
    beta: tf.randomNormal(channels, 0, 1, 'float32', seed + 4),
    mean: tf.randomNormal(channels, 3, 1, 'float32', seed + 5),
    variance: tf.randomUniform(channels, 0.01, 4, 'float32', seed + 6),
  };
}

/** The same by its definition. */
function plain(x: Tensor, gamma: Tensor, beta: Tensor, { mean, variance }: Pick<Inputs, 'mean' | 'variance'>): Tensor {
  const z = x.sub(mean).div(variance.add(BATCH_NORM_EPSILON).sqrt()).mul(gamma).add(beta);
  return z.div(z.neg().exp().add(1));
}

function assertClose(ours: Tensor, theirs: Tensor, bound: number, what: string): void {
  assert.equal(ours.shape, theirs.shape);
  const expected = theirs.dataSync();
  const difference = maxDifference(ours.dataSync(), expected);
  assert.ok(difference <= bound * Math.max(1, maxAbs(expected)), `${what} differs by ${difference}`);
}

test('outputs, with the statistics of the batch or the stored ones', () =>
  fc.assert(
    fc.property(cases, ({ shape, seed, training }) => {
      tf.tidy(() => {
        const inputs = makeInputs(shape, seed);
        const { y, batch } = batchNormSilu(inputs.x, inputs, training);
        const moments = tf.moments(inputs.x, [0, 1, 2]);
        assertClose(y, plain(inputs.x, inputs.gamma, inputs.beta, training ? moments : inputs), 1e-5, 'y');
        assert.is(batch !== undefined, training);
        if (!batch) return;
        const n = shape[0] * shape[1] * shape[2];
        assertClose(batch.mean, moments.mean, 1e-5, 'mean');
        // PyTorch refuses a single value, whose unbiased variance is 0/0.
        assertClose(batch.variance, moments.variance.mul(n / Math.max(n - 1, 1)), 1e-5, 'variance');
      });
    }),
    { numRuns: 60 },
  ));

test('gradients', () =>
  fc.assert(
    fc.property(cases, ({ shape, seed, training }) => {
      tf.tidy(() => {
        const inputs = makeInputs(shape, seed);
        const { x, gamma, beta, dy } = inputs;
        const { saved } = batchNormSilu(x, inputs, training);
        const { dx, dgamma, dbeta } = batchNormSiluGrad(dy, x, gamma, saved, training);
        const loss = (x: Tensor, gamma: Tensor, beta: Tensor) =>
          plain(x, gamma, beta, training ? tf.moments(x, [0, 1, 2]) : inputs)
            .mul(dy)
            .sum();
        const expected = tf.grads(loss)([x, gamma, beta]);
        assertClose(dx, expected[0], 1e-4, 'dx');
        assertClose(dgamma, expected[1], 1e-4, 'dgamma');
        assertClose(dbeta, expected[2], 1e-4, 'dbeta');
      });
    }),
    { numRuns: 60 },
  ));

test('far from zero SiLU is the line or nothing, and its gradient 1 or 0', () => {
  tf.tidy(() => {
    const [mean, variance] = [tf.zeros([2]), tf.ones([2])];
    const inputs = { gamma: tf.tensor1d([1e4, -1e4]), beta: tf.zeros([2]), mean, variance };
    const x = tf.ones([1, 1, 1, 2]);
    const { y, saved } = batchNormSilu(x, inputs, false);
    const scale = 1e4 / Math.sqrt(1 + BATCH_NORM_EPSILON);
    assertClose(y, tf.tensor([scale, 0], x.shape), 1e-6, 'y');
    const { dx } = batchNormSiluGrad(tf.onesLike(x), x, inputs.gamma, saved, false);
    assertClose(dx, tf.tensor([scale, 0], x.shape), 1e-6, 'dx');
  });
});

test('no tensor is left behind', () => {
  const { x, dy, ...parameters } = makeInputs([2, 3, 3, 4], 1);
  const before = tf.memory().numTensors;
  for (const training of [true, false]) {
    const { y, batch, saved } = batchNormSilu(x, parameters, training);
    const { dx, dgamma, dbeta } = batchNormSiluGrad(dy, x, parameters.gamma, saved, training);
    tf.dispose([y, dx, dgamma, dbeta, ...saved, ...Object.values(batch ?? {})]);
  }
  assert.is(tf.memory().numTensors, before);
});

test.run();
