import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Tensor, type Tensor4D, tf } from '../../src/kernels/tf.js';
import type { Layers } from '../../src/model/network.js';
import { type Node, TfLayers } from '../../src/model/tf_layers.js';
import { maxAbs, maxDifference } from '../support/golden.js';
import { TfjsLayers } from '../support/tfjs_layers.js';

const test = suite('layers against tfjs autodiff');

/** A small network with every layer, several paths and shared values. */
function network<T>(layers: Layers<T>, x: T): T {
  const focused = layers.focus(x);
  const a = layers.convBnSilu(focused, 'a', { in: 12, out: 4, kernel: 3 });
  const b = layers.convBnSilu(a, 'b', { in: 4, out: 4, kernel: 3, stride: 2 });
  const c = layers.convBnSilu(b, 'c', { in: 4, out: 4, kernel: 3, groups: 4 });
  const d = layers.spp(layers.add(c, b));
  const e = layers.concat([a, layers.upsampleConcat(d, a)]);
  return layers.conv(e, 'e', { in: 24, out: 3, kernel: 1 });
}

const SHAPES: [string, number[]][] = [
  ['a.conv.weight', [3, 3, 12, 4]],
  ['b.conv.weight', [3, 3, 4, 4]],
  ['c.conv.weight', [3, 3, 4, 1]],
  ['e.weight', [1, 1, 24, 3]],
  ['e.bias', [3]],
  ...['a', 'b', 'c'].flatMap((name): [string, number[]][] =>
    ['weight', 'bias', 'running_mean', 'running_var'].map((part) => [`${name}.bn.${part}`, [4]]),
  ),
];
const isStatistic = (name: string) => name.includes('running');

function makeParameters(seed: number): Map<string, Tensor> {
  return new Map(
    SHAPES.map(([name, shape], i) => [
      name,
      name.endsWith('running_var') ? tf.ones(shape) : tf.randomNormal(shape, 0, 0.5, 'float32', seed + i),
    ]),
  );
}

test('outputs and gradients agree for random shapes', () =>
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 4 }),
      fc.nat(1000),
      (n, h, w, seed) => {
        const parameters = makeParameters(seed);
        const x = tf.randomNormal([n, 4 * h, 4 * w, 3], 0, 1, 'float32', seed) as Tensor4D;
        const weights = tf.randomNormal([n, 2 * h, 2 * w, 3], 0, 1, 'float32', seed + 7);

        const layers = new TfLayers(parameters, { record: true });
        const output = network<Node>(layers, { value: x, needsGrad: false });
        const ours = output.value.dataSync();
        layers.backward([{ node: output, grad: weights.clone() }]);

        const learnt = SHAPES.map(([name]) => name).filter((name) => !isStatistic(name));
        const loss = (...tensors: Tensor[]) =>
          network(new TfjsLayers(new Map(tensors.map((tensor, i) => [learnt[i], tensor]))), x)
            .mul(weights)
            .sum();
        const theirs = network(new TfjsLayers(parameters), x).dataSync();
        const grads = tf.grads(loss)(learnt.map((name) => parameters.get(name) as Tensor));
        assert.ok(maxDifference(ours, theirs) <= 1e-4 * Math.max(1, maxAbs(theirs)));
        learnt.forEach((name, i) => {
          const expected = grads[i].dataSync();
          const difference = maxDifference((layers.gradients.get(name) as Tensor).dataSync(), expected);
          assert.ok(difference <= 2e-3 * Math.max(1, maxAbs(expected)), `${name}: ${difference}`);
        });
        tf.disposeVariables();
      },
    ),
    { numRuns: 15 },
  ));

test('a step frees every tensor but its results', () => {
  const parameters = makeParameters(1);
  const x = tf.randomNormal([2, 8, 8, 3]) as Tensor4D;
  const step = () => {
    const layers = new TfLayers(parameters, { record: true });
    const output = network<Node>(layers, { value: x, needsGrad: false });
    layers.backward([{ node: output, grad: tf.onesLike(output.value) }]);
    tf.dispose([...layers.gradients.values(), ...layers.statistics.values()]);
  };
  const predict = () => {
    const layers = new TfLayers(parameters, { record: false });
    network<Node>(layers, { value: x, needsGrad: false });
    layers.release();
  };
  for (const run of [step, predict]) {
    // The first time leaves the shapes that later ones use.
    run();
    const before = tf.memory().numTensors;
    run();
    assert.is(tf.memory().numTensors, before);
  }
});

test('frozen layers get no gradient and keep their statistics', () => {
  const parameters = makeParameters(1);
  const x = tf.randomNormal([2, 8, 8, 3]) as Tensor4D;
  const layers = new TfLayers(parameters, { record: true, isFrozen: (name) => /^[ab]\b/.test(name) });
  const output = network<Node>(layers, { value: x, needsGrad: false });
  layers.backward([{ node: output, grad: tf.onesLike(output.value) }]);
  assert.equal([...layers.gradients.keys()].sort(), [
    'c.bn.bias',
    'c.bn.weight',
    'c.conv.weight',
    'e.bias',
    'e.weight',
  ]);
  assert.equal([...layers.statistics.keys()].sort(), ['c.bn.running_mean', 'c.bn.running_var']);
});

test.run();
