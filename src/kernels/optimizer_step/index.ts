import { nativeOps } from '../native.js';
import { bool, float, int, rawOp, string, type Tensor, tf } from '../tf.js';
import type { FlatState, StepNumbers, StepResult } from './flat.js';
import * as reference from './reference.js';

export type { FlatState, StepNumbers, StepResult } from './flat.js';
export { flatten, initialMoments, type OptimizerOptions } from './reference.js';

const native: Pick<typeof reference, 'optimizerStep' | 'averageStep' | 'unflatten'> = {
  optimizerStep: nativeStep,
  averageStep: nativeAverage,
  unflatten: nativeViews,
};

/**
 * `optimizerStep` updates all parameters: SGD with Nesterov momentum or Adam, weight decay, gradient clipping, and the
 * moving average. `averageStep` updates the running statistics of all layers, or the average of a whole vector.
 * `unflatten` returns the tensors of a flat vector; they may share its memory, which is freed with the last of them.
 *
 * @example
 * const { next, applied } = optimizerStep(state, gradients, decayed, { step: 1, lr: 0.01 }, config.train.optimizer);
 * const parameters = unflatten(next.parameters, shapes);
 */
export const { optimizerStep, averageStep, unflatten } = nativeOps ? native : reference;

function nativeStep(
  state: FlatState,
  gradients: readonly Tensor[],
  decayed: readonly boolean[],
  { step, lr, averageDecay = 0, lossScale = 1 }: StepNumbers,
  options: reference.OptimizerOptions,
): StepResult {
  const old = [state.parameters, ...state.moments, ...(state.average ? [state.average] : [])];
  const [beta1, beta2] = options.betas;
  const scalars = hostFloats([
    lr,
    1 / (1 - beta1 ** step),
    1 / (1 - beta2 ** step),
    averageDecay,
    1 - averageDecay,
    1 / lossScale,
  ]);
  const outputs = rawOp(
    'YoloxOptimizerStep',
    [...old, ...gradients, scalars],
    {
      M: int(state.moments.length),
      E: int(state.average ? 1 : 0),
      N: int(gradients.length),
      decayed: int(decayed.map(Number)),
      ...ruleOf(options),
    },
    old.length + 1,
  );
  tf.dispose([...old, scalars]);
  const [parameters, ...rest] = outputs;
  const applied = rest.pop() as Tensor;
  const moments = rest.slice(0, state.moments.length);
  return { next: { parameters, moments, average: rest[moments.length] }, applied };
}

const ruleOf = ({
  name,
  nesterov,
  momentum,
  betas: [beta1, beta2],
  weightDecay,
  clipNorm,
}: reference.OptimizerOptions) => ({
  kind: string(name),
  nesterov: bool(nesterov),
  first_decay: float(name === 'adam' ? beta1 : momentum),
  first_gain: float(name === 'adam' ? 1 - beta1 : 1),
  second_decay: float(beta2),
  second_gain: float(1 - beta2),
  epsilon: float(reference.ADAM_EPSILON),
  weight_decay: float(weightDecay),
  clip_norm: float(clipNorm ?? 0),
});

function nativeAverage(average: Tensor, values: readonly Tensor[], decay: number): Tensor {
  const scalars = hostFloats([decay, 1 - decay]);
  const [next] = rawOp('YoloxAverageStep', [average, ...values, scalars], { N: int(values.length) });
  tf.dispose([average, scalars]);
  return next;
}

function nativeViews(vector: Tensor, shapes: readonly number[][]): Tensor[] {
  const flat = shapes.flatMap((shape) => [shape.length, ...shape]);
  return rawOp('YoloxParameterViews', [vector], { N: int(shapes.length), shapes: int(flat) }, shapes.length);
}

/** Float32 bits in an int32 tensor: those stay in host memory, so that an op on a GPU reads them without a wait. */
function hostFloats(values: number[]): Tensor {
  return tf.tensor1d(new Int32Array(Float32Array.from(values).buffer), 'int32');
}
