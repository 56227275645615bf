import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { flatSize, type StepNumbers, type StepResult } from '../../src/kernels/optimizer_step/flat.js';
import * as chosen from '../../src/kernels/optimizer_step/index.js';
import * as reference from '../../src/kernels/optimizer_step/reference.js';
import { type Tensor, tf } from '../../src/kernels/tf.js';

const base: reference.OptimizerOptions = {
  name: 'sgd',
  lr: 0.01,
  momentum: 0.9,
  nesterov: true,
  betas: [0.9, 0.999],
  weightDecay: 0.01,
  clipNorm: null,
};
const rules = [base, { ...base, nesterov: false }, { ...base, name: 'adam' as const }];

/** Some values, and how they are cut into tensors, of which some are empty. */
const tensors = (min: number, max: number) =>
  fc
    .array(fc.array(fc.float({ min, max, noNaN: true }), { maxLength: 40 }), { minLength: 1, maxLength: 6 })
    .filter((parts) => parts.flat().length > 0);

const seeds = fc.nat(1e6);

/** A flat vector of tensors of these sizes, zero in the gaps. */
function randomVector(sizes: readonly number[], seed: number, low = -1): Tensor {
  const parts = sizes.map((size, i) => tf.randomUniform([size], low, 1, 'float32', seed + i + 1));
  const vector = reference.flatten(parts);
  tf.dispose(parts);
  return vector;
}

function values(tensor: Tensor): number[] {
  return Array.from(tensor.dataSync());
}

function assertNear(ours: number[], theirs: number[], bound: number, what: string): void {
  assert.is(ours.length, theirs.length, what);
  for (const [i, value] of ours.entries()) {
    assert.ok(
      Math.abs(value - theirs[i]) <= bound * Math.max(1, Math.abs(theirs[i])),
      `${what} ${i}: ${value}, not ${theirs[i]}`,
    );
  }
}

/** PyTorch's update of one parameter in double precision, several steps with the same gradient. */
function scalarSteps(start: number, gradient: number, decayed: boolean, steps: number, options: typeof base): number {
  let [p, m, v] = [start, 0, 0];
  for (let step = 1; step <= steps; step++) {
    const g = gradient + (decayed ? options.weightDecay * p : 0);
    if (options.name === 'sgd') {
      m = options.momentum * m + g;
      p -= 0.1 * (options.nesterov ? g + options.momentum * m : m);
    } else {
      m = options.betas[0] * m + (1 - options.betas[0]) * g;
      v = options.betas[1] * v + (1 - options.betas[1]) * g * g;
      const scale = Math.sqrt(v / (1 - options.betas[1] ** step)) + 1e-8;
      p -= (0.1 * (m / (1 - options.betas[0] ** step))) / scale;
    }
  }
  return p;
}

for (const [name, { optimizerStep, averageStep, unflatten }] of Object.entries({ reference, chosen })) {
  const test = suite(`optimiser step, ${name}`);

  for (const options of rules) {
    test(`${options.name}${options.nesterov ? '' : ' without Nesterov'} is PyTorch's update, one parameter at a time`, () =>
      fc.assert(
        fc.property(tensors(-2, 2), fc.integer({ min: 1, max: 4 }), (parts, steps) => {
          const gradients = parts.map((part) => tf.tensor1d(part));
          const start = randomVector(
            parts.map(({ length }) => length),
            1,
          );
          const before = values(start);
          const decayed = parts.map((_, i) => i % 2 === 0);
          let state: StepResult['next'] = {
            parameters: start,
            moments: reference.initialMoments(options.name, start.size),
          };
          for (let step = 1; step <= steps; step++) {
            const { next, applied } = optimizerStep(state, gradients, decayed, { step, lr: 0.1 }, options);
            applied.dispose();
            state = next;
          }
          const after = values(state.parameters);
          let offset = 0;
          for (const [k, part] of parts.entries()) {
            for (const [i, gradient] of part.entries()) {
              const expected = scalarSteps(before[offset + i], gradient, decayed[k], steps, options);
              // Adam divides by a vanishing gradient's size, which float32 knows less well.
              const bound = options.name === 'adam' && Math.abs(gradient) < 1e-4 ? 0.1 * steps : 1e-4;
              assert.ok(Math.abs(after[offset + i] - expected) <= bound, `${after[offset + i]}, not ${expected}`);
            }
            offset += flatSize(part.length);
          }
          assert.is(after.length, offset);
          tf.dispose([state.parameters, ...state.moments, ...gradients]);
        }),
        { numRuns: 40 },
      ));
  }

  test('clipping bounds the global norm and keeps the direction', () => {
    const options = { ...base, momentum: 0, nesterov: false, weightDecay: 0, clipNorm: 1 };
    const state = { parameters: tf.zeros([32]), moments: [tf.zeros([32])] };
    const gradients = [tf.tensor1d([6]), tf.tensor1d([8])];
    const { next, applied } = optimizerStep(state, gradients, [true, true], { step: 1, lr: 1, lossScale: 2 }, options);
    const [x, y] = [values(next.parameters)[0], values(next.parameters)[16]];
    assert.ok(Math.abs(x + 0.6) < 1e-5 && Math.abs(y + 0.8) < 1e-5);
    tf.dispose([next.parameters, ...next.moments, applied, ...gradients]);
  });

  for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    test(`a gradient of ${wrong} changes nothing and is reported`, () => {
      for (const clipNorm of [null, 1]) {
        const gradients = [tf.tensor1d([1, 2, 3]), tf.tensor1d([4, wrong])];
        const vectors = [1, 2, 3].map((seed) => randomVector([3, 2], seed));
        const before = vectors.map(values);
        const [parameters, moment, average] = vectors;
        const { next, applied } = optimizerStep(
          { parameters, moments: [moment], average },
          gradients,
          [true, false],
          { step: 1, lr: 1, averageDecay: 0.5 },
          { ...base, clipNorm },
        );
        const after = [next.parameters, ...next.moments, next.average as Tensor];
        assert.equal(after.map(values), before);
        assert.equal(values(applied), [0]);
        tf.dispose([...after, applied, ...gradients]);
      }
    });
  }

  test('unflatten is the inverse of flatten', () =>
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }), { minLength: 1, maxLength: 5 }),
        (shapes) => {
          const parts = shapes.map((shape, i) => tf.randomNormal(shape, 0, 1, 'float32', i + 1));
          const vector = reference.flatten(parts);
          const back = unflatten(vector, shapes);
          vector.dispose();
          for (const [i, tensor] of back.entries()) {
            assert.equal(tensor.shape, shapes[i]);
            assert.equal(values(tensor), values(parts[i]));
          }
          tf.dispose([...parts, ...back]);
        },
      ),
      { numRuns: 30 },
    ));

  test('the moving average', () => {
    const average = averageStep(randomVector([2, 1], 1).mul(0).add(1), [tf.tensor1d([3, 6]), tf.tensor1d([9])], 0.75);
    const found = values(average);
    assert.equal([found[0], found[1], found[16]], [1.5, 2.25, 3]);
    const again = averageStep(tf.zeros([32]), [average], 0.5);
    assert.equal(
      values(again),
      found.map((value) => value / 2),
    );
    tf.dispose([average, again]);
  });

  test('no tensor is left behind', () => {
    const counts = [1, 2].map((step) => {
      const gradients = [tf.ones([5]), tf.ones([3, 7])];
      const state = { parameters: tf.ones([48]), moments: [tf.zeros([48])], average: tf.ones([48]) };
      const numbers = { step, lr: 1, averageDecay: 0.5 };
      const { next, applied } = optimizerStep(state, gradients, [true, false], numbers, base);
      const views = unflatten(next.parameters, [[5], [3, 7]]);
      const average = averageStep(next.average as Tensor, [next.parameters], 0.5);
      tf.dispose([next.parameters, ...next.moments, average, applied, ...views, ...gradients]);
      return tf.memory().numTensors;
    });
    assert.is(counts[1], counts[0]);
  });

  test.run();
}

const test = suite('optimiser step, native against reference');

/** The same step twice; what both make of it, the flag last. */
function both(
  sizes: number[],
  seed: number,
  numbers: StepNumbers,
  options: typeof base,
  averaging: boolean,
): number[][][] {
  const gradients = sizes.map((size, i) => tf.randomNormal([size], 0, 1, 'float32', seed + i + 1));
  const decayed = sizes.map((_, i) => i % 3 > 0);
  return [reference, chosen].map(({ optimizerStep }) => {
    const { next, applied } = optimizerStep(
      {
        parameters: randomVector(sizes, seed),
        moments:
          options.name === 'adam'
            ? [randomVector(sizes, seed + 1), randomVector(sizes, seed + 2, 0)]
            : [randomVector(sizes, seed + 1)],
        average: averaging ? randomVector(sizes, seed + 3) : undefined,
      },
      gradients,
      decayed,
      numbers,
      options,
    );
    const results = [next.parameters, ...next.moments, ...(next.average ? [next.average] : []), applied];
    const found = results.map(values);
    tf.dispose(results);
    return found;
  });
}

test('the same new state', () =>
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.nat(50), fc.nat(60_000)), { minLength: 1, maxLength: 80 }),
      seeds,
      fc.record({ step: fc.integer({ min: 1, max: 1000 }), lossScale: fc.constantFrom(1, 1024) }),
      fc.constantFrom(...rules),
      fc.constantFrom(null, 0.5, 1e6),
      fc.boolean(),
      (sizes, seed, { step, lossScale }, options, clipNorm, averaging) => {
        const numbers = { step, lr: 0.01, averageDecay: 0.9, lossScale };
        const [theirs, ours] = both(sizes, seed, numbers, { ...options, clipNorm }, averaging);
        assert.is(ours.length, theirs.length);
        ours.forEach((vector, i) => {
          assertNear(vector, theirs[i], 2e-5, `vector ${i}`);
        });
      },
    ),
    { numRuns: 20 },
  ));

test('many steps stay together', () => {
  const sizes = [40, 3, 500];
  const gradients = sizes.map((size, i) => tf.randomNormal([size], 0, 1, 'float32', i + 1));
  const [theirs, ours] = [reference, chosen].map(({ optimizerStep }) => {
    const parameters = randomVector(sizes, 1);
    let state: StepResult['next'] = {
      parameters,
      moments: reference.initialMoments('adam', parameters.size),
      average: parameters.clone(),
    };
    for (let step = 1; step <= 50; step++) {
      const numbers = { step, lr: 0.01, averageDecay: 0.9 };
      const { next, applied } = optimizerStep(state, gradients, [true, false, true], numbers, {
        ...base,
        name: 'adam',
      });
      applied.dispose();
      state = next;
    }
    return values(state.average as Tensor);
  });
  assertNear(ours, theirs, 1e-5, 'average');
});

if (chosen.optimizerStep !== reference.optimizerStep) {
  test('views share the memory of their vector', () => {
    const vector = randomVector([20], 1);
    const [view] = chosen.unflatten(vector, [[20]]);
    const expected = values(view);
    vector.dispose();
    assert.equal(values(view), expected);
    view.dispose();
  });

  test('vectors and tensors that do not fit are refused', () => {
    const step = (parameters: Tensor, moments: Tensor[], gradients: Tensor[], decayed: boolean[]) => () =>
      chosen.optimizerStep({ parameters, moments }, gradients, decayed, { step: 1, lr: 1 }, base);
    const [small, large] = [tf.zeros([16]), tf.zeros([32])];
    assert.throws(
      step(large, [large], [small], [true]),
      /expected tensors that fill a vector of 32, received tensors that fill 16/,
    );
    assert.throws(step(small, [large], [small], [true]), /expected moments of shape \[16\], received \[32\]/);
    assert.throws(step(small, [small, small], [small], [true]), /expected 1 moments, received 2/);
    assert.throws(step(small, [small], [small], []), /expected as many decay flags as gradients \(1\), received 0/);
    assert.throws(() => chosen.unflatten(small, [[17]]), /expected vector of shape \[32\], received \[16\]/);
    assert.throws(() => chosen.averageStep(small, [large], 1), /expected tensors that fill a vector of 16/);
  });
}

test.run();
