import { configSchema } from '../src/config/schema.js';
import { flatten, initialMoments, optimizerStep, unflatten } from '../src/kernels/optimizer_step/index.js';
import * as reference from '../src/kernels/optimizer_step/reference.js';
import { type Tensor, tf } from '../src/kernels/tf.js';
import { tfShape } from '../src/model/layout.js';
import { isTrainable, parameters } from '../src/model/parameters.js';
import { type BenchResult, paired } from './paired.js';

const list = parameters({ depth: 0.33, width: 0.5, depthwise: false, classes: 80 }).filter(isTrainable);
const shapes = list.map(tfShape);
const decayed = list.map(({ kind }) => kind === 'weight');
const { optimizer } = configSchema.parse({}).train;
const DECAY = 0.9998;

/**
 * SGD, weight decay and the moving average of YOLOX-S, from gradients by tensor to the next parameters by tensor.
 * tfjs' own goes without the weight decay, which it hasn't.
 */
export default async function optimizerStepBench(): Promise<{ results: BenchResult[] }> {
  const values = shapes.map((shape, i) => tf.randomNormal(shape, 0, 0.1, 'float32', i + 1));
  const gradients = shapes.map((shape, i) => tf.randomNormal(shape, 0, 0.1, 'float32', i + 1000));
  const ours = flatSteps({ optimizerStep, unflatten }, values, gradients);
  const results = [
    await paired({
      name: 'SGD and average of YOLOX-S',
      peerName: 'tfjs, by variable',
      ours,
      peer: variableSteps(values, gradients),
    }),
    await paired({
      name: 'SGD and average of YOLOX-S',
      peerName: 'composed, one vector',
      ours,
      peer: flatSteps(reference, values, gradients),
    }),
  ];
  const clipped = flatSteps({ optimizerStep, unflatten }, values, gradients, { ...optimizer, clipNorm: 1 });
  results.push(await paired({ name: 'without clipping', peerName: 'ours with clipping by norm', ours, peer: clipped }));
  return { results };
}

function flatSteps(
  ops: Pick<typeof reference, 'optimizerStep' | 'unflatten'>,
  values: Tensor[],
  gradients: Tensor[],
  options = optimizer,
): () => void {
  const parameters = flatten(values);
  let state: Parameters<typeof optimizerStep>[0] = {
    parameters,
    moments: initialMoments('sgd', parameters.size),
    average: parameters.clone(),
  };
  let step = 0;
  return () => {
    step++;
    const { next, applied } = ops.optimizerStep(
      state,
      gradients,
      decayed,
      { step, lr: 1e-4, averageDecay: DECAY },
      { ...options, name: 'sgd' },
    );
    state = next;
    tf.dispose([applied, ...ops.unflatten(next.parameters, shapes)]);
  };
}

function variableSteps(values: Tensor[], gradients: Tensor[]): () => void {
  const variables = values.map((value) => tf.variable(value));
  const averages = values.map((value) => tf.variable(value));
  const momentum = tf.train.momentum(1e-4, optimizer.momentum, optimizer.nesterov);
  const named = variables.map(({ name }, i) => ({ name, tensor: gradients[i] }));
  return () => {
    momentum.applyGradients(named);
    tf.tidy(() => {
      for (const [i, average] of averages.entries())
        average.assign(average.mul(DECAY).add(variables[i].mul(1 - DECAY)));
    });
  };
}
