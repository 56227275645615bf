import type { Config } from '../../config/schema.js';
import { reshape, type Tensor, tf } from '../tf.js';
import { type FlatState, flatSize, type StepNumbers, type StepResult } from './flat.js';

export type OptimizerOptions = Config['train']['optimizer'];

/** torch.optim.Adam's default. */
export const ADAM_EPSILON = 1e-8;

/** The moments to begin with, [size] each. */
export function initialMoments(name: OptimizerOptions['name'], size: number): Tensor[] {
  return Array.from({ length: name === 'adam' ? 2 : 1 }, () => tf.zeros([size]));
}

/**
 * One update: the gradients unscaled, clipped by their global norm, weight decay added to those `decayed`; then SGD or
 * Adam, and the moving average of the result.
 *
 * @param gradients in the order of the parameters; @param decayed one flag each
 * @returns tensors owned by the caller. Disposes of the old state.
 */
export function optimizerStep(
  state: FlatState,
  gradients: readonly Tensor[],
  decayed: readonly boolean[],
  numbers: StepNumbers,
  options: OptimizerOptions,
): StepResult {
  const { parameters, moments, average } = state;
  const old = [parameters, ...moments, ...(average ? [average] : [])];
  const [applied, ...next] = tf.tidy(() => {
    const raw = flatten(gradients);
    const finite = raw.isFinite().all();
    const unscaled = raw.div(numbers.lossScale ?? 1);
    const clipped = options.clipNorm === null ? unscaled : clipByNorm(unscaled, options.clipNorm);
    const gradient = clipped.add(parameters.mul(decayMask(gradients, decayed)).mul(options.weightDecay));
    const updated =
      options.name === 'sgd'
        ? sgd(parameters, gradient, moments[0], numbers.lr, options)
        : adam(parameters, gradient, moments, numbers.step, numbers.lr, options);
    if (average) updated.push(mix(average, updated[0], numbers.averageDecay ?? 0));
    return [finite.cast('float32').reshape([1]), ...updated.map((values, i) => tf.where(finite, values, old[i]))];
  });
  tf.dispose(old);
  const [nextParameters, ...rest] = next;
  return {
    next: { parameters: nextParameters, moments: rest.slice(0, moments.length), average: rest[moments.length] },
    applied,
  };
}

function decayMask(gradients: readonly Tensor[], decayed: readonly boolean[]): Tensor {
  return tf.concat(gradients.map(({ size }, i) => tf.fill([flatSize(size)], decayed[i] ? 1 : 0)));
}

function clipByNorm(gradient: Tensor, limit: number): Tensor {
  const norm = gradient.square().sum().sqrt();
  return gradient.mul(tf.minimum(tf.scalar(limit).div(norm.add(1e-6)), 1));
}

/** torch.optim.SGD. */
function sgd(p: Tensor, g: Tensor, momentum: Tensor, lr: number, options: OptimizerOptions): Tensor[] {
  const velocity = momentum.mul(options.momentum).add(g);
  const direction = options.nesterov ? g.add(velocity.mul(options.momentum)) : velocity;
  return [p.sub(direction.mul(lr)), velocity];
}

/** torch.optim.Adam: Kingma & Ba 2015, algorithm 1, weight decay inside the gradient. */
function adam(
  p: Tensor,
  g: Tensor,
  [m, v]: Tensor[],
  step: number,
  lr: number,
  { betas: [b1, b2] }: OptimizerOptions,
): Tensor[] {
  const first = m.mul(b1).add(g.mul(1 - b1));
  const second = v.mul(b2).add(g.square().mul(1 - b2));
  const scale = second
    .div(1 - b2 ** step)
    .sqrt()
    .add(ADAM_EPSILON);
  return [
    p.sub(
      first
        .div(1 - b1 ** step)
        .div(scale)
        .mul(lr),
    ),
    first,
    second,
  ];
}

const mix = (average: Tensor, values: Tensor, decay: number): Tensor => average.mul(decay).add(values.mul(1 - decay));

/**
 * average ← decay·average + (1 − decay)·values: a flat vector and the tensors it holds, or one such vector.
 * Disposes of the old average.
 */
export function averageStep(average: Tensor, values: readonly Tensor[], decay: number): Tensor {
  const next = tf.tidy(() => mix(average, flatten(values), decay));
  average.dispose();
  return next;
}

/** Tensors of any shapes → one flat vector. */
export function flatten(tensors: readonly Tensor[]): Tensor {
  return tf.tidy(() =>
    tf.concat(
      tensors.flatMap((tensor) => {
        const gap = flatSize(tensor.size) - tensor.size;
        const values = reshape(tensor, [tensor.size]);
        return gap === 0 ? [values] : [values, tf.zeros([gap])];
      }),
    ),
  );
}

/** The inverse of `flatten`; the caller owns the tensors. */
export function unflatten(vector: Tensor, shapes: readonly number[][]): Tensor[] {
  return tf.tidy(() => {
    const sizes = shapes.map((shape) => shape.reduce((a, b) => a * b, 1));
    const parts = tf.split(
      vector,
      sizes.flatMap((size) => [size, flatSize(size) - size]),
    );
    return shapes.map((shape, i) => reshape(parts[2 * i], shape));
  });
}
