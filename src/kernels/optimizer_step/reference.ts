import type { Config } from '../../config/schema.js';
import { reshape, type Tensor, tf } from '../tf.js';

export type OptimizerOptions = Config['train']['optimizer'];

/** torch.optim.Adam's default. */
const ADAM_EPSILON = 1e-8;

/** All parameters live in one vector, so that a step is a few ops whatever their number. */
export interface OptimizerState {
  /** Updates applied so far. */
  step: number;
  /** Momentum (SGD), or first and second moments (Adam); like the parameters, [P]. */
  moments: Tensor[];
}

export function initialState(name: OptimizerOptions['name'], size: number): OptimizerState {
  return { step: 0, moments: Array.from({ length: name === 'adam' ? 2 : 1 }, () => tf.zeros([size])) };
}

/**
 * @param parameters [P], @param grad [P]; @param decayed [P], 1 where weight decay applies, else 0
 * @param lr the rate of this step
 * @returns new parameters and state, owned by the caller. Disposes of the old parameters and moments.
 */
export function optimizerStep(
  parameters: Tensor,
  grad: Tensor,
  decayed: Tensor,
  state: OptimizerState,
  lr: number,
  options: OptimizerOptions,
): { parameters: Tensor; state: OptimizerState } {
  const step = state.step + 1;
  const [next, ...moments] = tf.tidy(() => {
    const clipped = options.clipNorm === null ? grad : clipByNorm(grad, options.clipNorm);
    const g = clipped.add(parameters.mul(decayed).mul(options.weightDecay));
    return options.name === 'sgd'
      ? sgd(parameters, g, state.moments[0], lr, options)
      : adam(parameters, g, state.moments, step, lr, options);
  });
  tf.dispose([parameters, ...state.moments]);
  return { parameters: next, state: { step, moments } };
}

function clipByNorm(grad: Tensor, limit: number): Tensor {
  const norm = grad.square().sum().sqrt();
  return grad.mul(tf.minimum(tf.scalar(limit).div(norm.add(1e-6)), 1));
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

/** average ← decay·average + (1 − decay)·values, both [P]. Disposes of the old average. */
export function averageStep(average: Tensor, values: Tensor, decay: number): Tensor {
  const next = tf.tidy(() => average.mul(decay).add(values.mul(1 - decay)));
  average.dispose();
  return next;
}

/** Tensors of any shapes → one vector. */
export function flatten(tensors: Tensor[]): Tensor {
  return tf.tidy(() => tf.concat(tensors.map((tensor) => reshape(tensor, [tensor.size]))));
}

/** The inverse of `flatten`; the caller owns the tensors. */
export function unflatten(vector: Tensor, shapes: number[][]): Tensor[] {
  return tf.tidy(() => {
    const sizes = shapes.map((shape) => shape.reduce((a, b) => a * b, 1));
    const parts = tf.split(vector, sizes);
    return parts.map((part, i) => reshape(part, shapes[i]));
  });
}
