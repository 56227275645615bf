import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BATCH_NORM_EPSILON } from '../../src/config/network.js';
import * as chosen from '../../src/kernels/batch_norm_silu/index.js';
import * as reference from '../../src/kernels/batch_norm_silu/reference.js';
import { nativeOps } from '../../src/kernels/native.js';
import { type Tensor, tf } from '../../src/kernels/tf.js';
import { maxAbs, maxDifference } from '../support/golden.js';

type Implementation = Pick<typeof reference, 'batchNormSilu' | 'batchNormSiluGrad'>;
const implementations: Record<string, Implementation> = nativeOps ? { native: chosen, reference } : { reference };

/** Odd and even sides down to a single value a channel. */
const shapes = fc.tuple(
  fc.integer({ min: 1, max: 3 }),
  fc.integer({ min: 1, max: 7 }),
  fc.integer({ min: 1, max: 7 }),
  fc.integer({ min: 1, max: 19 }),
);
const cases = fc.record({ shape: shapes, seed: fc.nat(1e6), training: fc.boolean() });

/** More than a block of rows; few, odd and many channels. */
const LARGE = [
  [2, 80, 80, 16],
  [1, 61, 67, 24],
  [2, 9, 5, 255],
  [3, 5, 7, 600],
  [1, 1, 2, 1040],
];

interface Inputs extends chosen.BatchNormParameters {
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
  // By the sigmoid: tfjs' gradient of z / (1 + e⁻ᶻ) is not a number where e⁻ᶻ overflows.
  return z.mul(z.sigmoid());
}

/** Forward and gradient; everything by name. */
function run({ batchNormSilu, batchNormSiluGrad }: Implementation, inputs: Inputs, training: boolean) {
  const { y, batch, saved } = batchNormSilu(inputs.x, inputs, training);
  return { y, ...batch, ...batchNormSiluGrad(inputs.dy, inputs.x, inputs, saved, training) };
}

function assertClose(ours: Tensor, theirs: Tensor, bound: number, what: string): void {
  assert.equal(ours.shape, theirs.shape);
  const expected = theirs.dataSync();
  const difference = maxDifference(ours.dataSync(), expected);
  assert.ok(difference <= bound * Math.max(1, maxAbs(expected)), `${what} differs by ${difference}`);
}

/** In float64, one channel: Σ dy·y as a function of x, gamma and beta. */
function loss(x: number[], gamma: number, beta: number, dy: number[], stored?: { mean: number; variance: number }) {
  const mean = stored?.mean ?? x.reduce((sum, value) => sum + value, 0) / x.length;
  const variance = stored?.variance ?? x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
  return x.reduce((sum, value, i) => {
    const z = ((value - mean) / Math.sqrt(variance + BATCH_NORM_EPSILON)) * gamma + beta;
    return sum + (dy[i] * z) / (1 + Math.exp(-z));
  }, 0);
}

const derivative = (f: (x: number) => number, x: number) => (f(x + 1e-5) - f(x - 1e-5)) / 2e-5;

for (const [name, ours] of Object.entries(implementations)) {
  const test = suite(`batch norm and SiLU, ${name}`);

  test('outputs, with the statistics of the batch or the stored ones', () =>
    fc.assert(
      fc.property(cases, ({ shape, seed, training }) => {
        tf.tidy(() => {
          const inputs = makeInputs(shape, seed);
          const { y, batch } = ours.batchNormSilu(inputs.x, inputs, training);
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

  test('gradients are those of tfjs', () =>
    fc.assert(
      fc.property(cases, ({ shape, seed, training }) => {
        tf.tidy(() => {
          const inputs = makeInputs(shape, seed);
          const { x, gamma, beta, dy } = inputs;
          const { dx, dgamma, dbeta } = run(ours, inputs, training);
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

  test('gradients are finite differences in float64', () => {
    for (const training of [true, false]) {
      tf.tidy(() => {
        const inputs = makeInputs([1, 3, 4, 1], 7);
        const [x, dy] = [inputs.x, inputs.dy].map((tensor) => [...tensor.dataSync()]);
        const [gamma, beta, mean, variance] = [inputs.gamma, inputs.beta, inputs.mean, inputs.variance].map(
          (tensor) => tensor.dataSync()[0],
        );
        const stored = training ? undefined : { mean, variance };
        const { dx, dgamma, dbeta } = run(ours, inputs, training);
        const expected = x.map((value, i) => derivative((t) => loss(x.with(i, t), gamma, beta, dy, stored), value));
        assertClose(dx.flatten(), tf.tensor1d(expected), 1e-5, 'dx');
        const byGamma = derivative((t) => loss(x, t, beta, dy, stored), gamma);
        assertClose(dgamma, tf.tensor1d([byGamma]), 1e-5, 'dgamma');
        const byBeta = derivative((t) => loss(x, gamma, t, dy, stored), beta);
        assertClose(dbeta, tf.tensor1d([byBeta]), 1e-5, 'dbeta');
      });
    }
  });

  test('far from zero SiLU is the line or nothing, and its gradient 1 or 0', () => {
    tf.tidy(() => {
      const [mean, variance] = [tf.zeros([2]), tf.ones([2])];
      for (const gamma of [1e4, 1e30]) {
        const x = tf.ones([1, 1, 1, 2]);
        const inputs = { x, dy: x, gamma: tf.tensor1d([gamma, -gamma]), beta: tf.zeros([2]), mean, variance };
        const { y, dx } = run(ours, inputs, false);
        const scale = gamma / Math.sqrt(1 + BATCH_NORM_EPSILON);
        assertClose(y, tf.tensor([scale, 0], x.shape), 1e-6, 'y');
        assertClose(dx, tf.tensor([scale, 0], x.shape), 1e-6, 'dx');
      }
    });
  });

  test('what is not a number stays in its channel', () => {
    for (const [bad, training] of [NaN, Infinity, -Infinity].flatMap((bad) => [
      [bad, true] as const,
      [bad, false] as const,
    ])) {
      tf.tidy(() => {
        const clean = makeInputs([2, 3, 3, 5], 3);
        const values = clean.x.dataSync().slice();
        values[5 * 7 + 2] = bad;
        const before = run(ours, clean, training);
        const after = run(ours, { ...clean, x: tf.tensor(values, clean.x.shape) }, training);
        for (const what of ['y', 'dx'] as const) {
          const [was, is] = [before[what].dataSync(), after[what].dataSync()];
          for (const [i, value] of is.entries()) {
            if (i % 5 !== 2) assert.is(value, was[i], what);
            else if (training)
              assert.ok(Number.isNaN(value), `${what}: with the batch's statistics all of the channel`);
            else if (i !== 5 * 7 + 2) assert.is(value, was[i], what);
            else if (Number.isNaN(bad)) assert.ok(Number.isNaN(value), `${what}: with stored ones the value alone`);
          }
        }
      });
    }
  });

  test('no tensor is left behind', () => {
    const { x, dy, ...parameters } = makeInputs([2, 3, 3, 4], 1);
    const before = tf.memory().numTensors;
    for (const training of [true, false]) {
      const { y, batch, saved } = ours.batchNormSilu(x, parameters, training);
      const { dx, dgamma, dbeta } = ours.batchNormSiluGrad(dy, x, parameters, saved, training);
      tf.dispose([y, dx, dgamma, dbeta, ...saved]);
      if (batch)
        assert.ok(batch.mean.dataSync().every(Number.isFinite), 'the statistics outlive what the gradient needs');
      tf.dispose({ ...batch });
    }
    assert.is(tf.memory().numTensors, before);
    tf.dispose([x, dy, ...Object.values(parameters)]);
  });

  test.run();
}

if (nativeOps) {
  const test = suite('batch norm and SiLU, native alone');

  test('is the reference on large inputs, and the same every time', () => {
    for (const shape of LARGE) {
      for (const training of [true, false]) {
        tf.tidy(() => {
          const inputs = makeInputs(shape, 5);
          const [ours, again, theirs] = [chosen, chosen, reference].map((one) => run(one, inputs, training));
          for (const what of Object.keys(theirs) as (keyof typeof theirs)[]) {
            assertClose(ours[what] as Tensor, theirs[what] as Tensor, 1e-4, `${what} of [${shape}]`);
            assert.equal(ours[what]?.dataSync(), again[what]?.dataSync());
          }
        });
      }
    }
  });

  test('statistics are right where the mean is large beside the deviation', () => {
    tf.tidy(() => {
      const inputs = makeInputs([2, 50, 50, 8], 9);
      const x = inputs.x.add(tf.tensor1d([0, 1e2, -1e2, 1e3, -1e3, 1e4, -1e4, 3e4]));
      const { batch } = chosen.batchNormSilu(x, inputs, true);
      const values = [...x.dataSync()];
      for (let c = 0; c < 8; c++) {
        const channel = values.filter((_value, i) => i % 8 === c);
        const mean = channel.reduce((sum, value) => sum + value, 0) / channel.length;
        const variance = channel.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (channel.length - 1);
        assert.ok(Math.abs((batch?.mean.dataSync()[c] as number) - mean) <= 1e-7 * Math.abs(mean) + 1e-6);
        assert.ok(Math.abs((batch?.variance.dataSync()[c] as number) / variance - 1) < 1e-4);
      }
    });
  });

  test('no values, or no channels', () => {
    for (const shape of [
      [0, 3, 3, 4],
      [1, 2, 2, 0],
    ]) {
      for (const training of [true, false]) {
        tf.tidy(() => {
          const parameters = makeInputs([1, 1, 1, shape[3]], 1);
          const empty = tf.zeros(shape);
          const { y, mean, dx, dgamma } = run(chosen, { ...parameters, x: empty, dy: empty }, training);
          assert.equal([y.shape, dx.shape], [shape, shape]);
          assert.equal([...dgamma.dataSync()], new Array(shape[3]).fill(0));
          if (mean) assert.equal([...mean.dataSync()], new Array(shape[3]).fill(0));
        });
      }
    }
  });

  test('wrong shapes and types are named', () => {
    const inputs = makeInputs([2, 3, 3, 4], 1);
    const { saved } = chosen.batchNormSilu(inputs.x, inputs, true);
    const three = tf.zeros([3]);
    const forward = (change: Partial<Inputs>) => () =>
      chosen.batchNormSilu(change.x ?? inputs.x, { ...inputs, ...change }, true);
    const grad = (dy: Tensor, kept: Tensor[]) => () => chosen.batchNormSiluGrad(dy, inputs.x, inputs, kept, true);
    assert.throws(forward({ beta: three }), /expected beta of shape \[C\] = \[4\], received \[3\]/);
    assert.throws(forward({ x: three }), /expected z of shape \[N,H,W,C\], received \[3\]/);
    assert.throws(forward({ x: inputs.x.cast('int32') }), /float/);
    assert.throws(grad(three, saved), /expected dy of shape z's \[2,3,3,4\], received \[3\]/);
    assert.throws(grad(inputs.dy, [saved[0], three]), /expected saved_rstd of shape \[C\] = \[4\], received \[3\]/);
  });

  test.run();
}
