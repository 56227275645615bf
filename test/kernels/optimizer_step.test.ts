import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  averageStep,
  flatten,
  initialState,
  type OptimizerOptions,
  optimizerStep,
  unflatten,
} from '../../src/kernels/optimizer_step/index.js';
import { tf } from '../../src/kernels/tf.js';

const test = suite('optimiser step');

const values = (size: number) =>
  fc.array(fc.float({ min: -2, max: 2, noNaN: true }), { minLength: size, maxLength: size });

const base: OptimizerOptions = {
  name: 'sgd',
  lr: 0.01,
  momentum: 0.9,
  nesterov: true,
  betas: [0.9, 0.999],
  weightDecay: 0.01,
  clipNorm: null,
};

/** PyTorch's update of one parameter in double precision, several steps with the same gradient. */
function scalarSteps(
  start: number,
  gradient: number,
  decayed: number,
  steps: number,
  lr: number,
  options: OptimizerOptions,
): number {
  let [p, m, v] = [start, 0, 0];
  for (let step = 1; step <= steps; step++) {
    const g = gradient + options.weightDecay * decayed * p;
    if (options.name === 'sgd') {
      m = options.momentum * m + g;
      p -= lr * (options.nesterov ? g + options.momentum * m : m);
    } else {
      m = options.betas[0] * m + (1 - options.betas[0]) * g;
      v = options.betas[1] * v + (1 - options.betas[1]) * g * g;
      const scale = Math.sqrt(v / (1 - options.betas[1] ** step)) + 1e-8;
      p -= (lr * (m / (1 - options.betas[0] ** step))) / scale;
    }
  }
  return p;
}

for (const options of [base, { ...base, nesterov: false }, { ...base, name: 'adam' as const }]) {
  test(`${options.name}${options.nesterov ? '' : ' without Nesterov'} is PyTorch's update, one parameter at a time`, () =>
    fc.assert(
      fc.property(values(6), values(6), fc.integer({ min: 1, max: 4 }), (start, gradient, steps) => {
        const decayed = [1, 0, 1, 0, 1, 0];
        const [grad, mask] = [tf.tensor1d(gradient), tf.tensor1d(decayed)];
        let parameters: ReturnType<typeof flatten> = tf.tensor1d(start);
        let state = initialState(options.name, 6);
        for (let i = 0; i < steps; i++)
          ({ parameters, state } = optimizerStep(parameters, grad, mask, state, 0.1, options));
        Array.from(parameters.dataSync()).forEach((ours, i) => {
          const expected = scalarSteps(start[i], gradient[i], decayed[i], steps, 0.1, options);
          // Adam divides by a vanishing gradient's size, which float32 knows less well.
          const bound = options.name === 'adam' && Math.abs(gradient[i]) < 1e-4 ? 0.1 * steps : 1e-4;
          assert.ok(Math.abs(ours - expected) <= bound, `${ours}, not ${expected}`);
        });
        tf.dispose([parameters, grad, mask, ...state.moments]);
      }),
      { numRuns: 40 },
    ));
}

test('clipping bounds the global norm and keeps the direction', () => {
  const grad = tf.tensor1d([3, 4]);
  const options = { ...base, momentum: 0, nesterov: false, weightDecay: 0, clipNorm: 1 };
  const { parameters } = optimizerStep(tf.zeros([2]), grad, tf.zeros([2]), initialState('sgd', 2), 1, options);
  const [x, y] = parameters.dataSync();
  assert.ok(Math.abs(x + 0.6) < 1e-5 && Math.abs(y + 0.8) < 1e-5);
});

test('flatten and unflatten are inverse', () =>
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }), {
        minLength: 1,
        maxLength: 5,
      }),
      (shapes) => {
        const tensors = shapes.map((shape, i) => tf.randomNormal(shape, 0, 1, 'float32', i + 1));
        const vector = flatten(tensors);
        const back = unflatten(vector, shapes);
        back.forEach((tensor, i) => {
          assert.equal(tensor.shape, shapes[i]);
          assert.equal(Array.from(tensor.dataSync()), Array.from(tensors[i].dataSync()));
        });
        tf.dispose([vector, ...tensors, ...back]);
      },
    ),
    { numRuns: 30 },
  ));

test('the moving average', () => {
  const average = averageStep(tf.tensor1d([1, 2]), tf.tensor1d([3, 6]), 0.75);
  assert.equal(Array.from(average.dataSync()), [1.5, 3]);
});

test.run();
