import { BATCH_NORM_EPSILON } from '../../config/network.js';
import { bool, FLOAT32, float, rawOp, string, type Tensor, tf } from '../tf.js';

/** All [C] float32. */
export interface BatchNormParameters {
  gamma: Tensor;
  beta: Tensor;
  mean: Tensor;
  variance: Tensor;
}

export interface BatchNormSilu {
  /** SiLU(batch norm(x)), like x. */
  y: Tensor;
  /** Statistics of this batch [C], the variance unbiased; absent with `training` false. */
  batch?: { mean: Tensor; variance: Tensor };
  /** What the gradient needs besides x; disposed by its owner. */
  saved: Tensor[];
}

export interface BatchNormGradients {
  /** Like x. */
  dx: Tensor;
  /** [C] */
  dgamma: Tensor;
  dbeta: Tensor;
}

/**
 * x [N,H,W,C] float32. With `training` normalises by the batch's own statistics (biased variance), else by the
 * stored ones. The caller owns every tensor returned.
 */
export function batchNormSilu(
  x: Tensor,
  { gamma, beta, mean, variance }: BatchNormParameters,
  training: boolean,
): BatchNormSilu {
  const unused = training ? [tf.tensor1d([]), tf.tensor1d([])] : [];
  const [z, batchMean, batchVariance, ...reserved] = rawOp(
    'FusedBatchNormV3',
    [x, gamma, beta, ...(training ? unused : [mean, variance])],
    { ...attributes(training), exponential_avg_factor: float(1) },
    6,
  );
  const [sigmoid] = rawOp('Sigmoid', [z], { T: FLOAT32 });
  const [y] = rawOp('Mul', [z, sigmoid], { T: FLOAT32 });
  tf.dispose(unused);
  const saved = [z, sigmoid, ...reserved];
  if (training) return { y, batch: { mean: batchMean, variance: batchVariance }, saved };
  tf.dispose([batchMean, batchVariance]);
  return { y, saved };
}

/**
 * Gradients of `batchNormSilu` with respect to x, gamma and beta, from the gradient `dy` of y, which is like x.
 * The caller owns them.
 */
export function batchNormSiluGrad(
  dy: Tensor,
  x: Tensor,
  { gamma }: Pick<BatchNormParameters, 'gamma' | 'beta'>,
  saved: readonly Tensor[],
  training: boolean,
): BatchNormGradients {
  const [z, sigmoid, ...reserved] = saved;
  // d SiLU = σ + z·σ·(1 − σ), and SigmoidGrad(σ, g) is g·σ·(1 − σ).
  const [direct] = rawOp('Mul', [dy, sigmoid], { T: FLOAT32 });
  const [scaled] = rawOp('Mul', [dy, z], { T: FLOAT32 });
  const [through] = rawOp('SigmoidGrad', [sigmoid, scaled], { T: FLOAT32 });
  const [dz] = rawOp('AddV2', [direct, through], { T: FLOAT32 });
  const [dx, dgamma, dbeta, ...rest] = rawOp(
    'FusedBatchNormGradV3',
    [dz, x, gamma, ...reserved],
    attributes(training),
    5,
  );
  tf.dispose([direct, scaled, through, dz, ...rest]);
  return { dx, dgamma, dbeta };
}

const attributes = (training: boolean) => ({
  T: FLOAT32,
  U: FLOAT32,
  epsilon: float(BATCH_NORM_EPSILON),
  data_format: string('NHWC'),
  is_training: bool(training),
});
