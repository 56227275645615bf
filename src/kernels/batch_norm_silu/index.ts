import { BATCH_NORM_EPSILON } from '../../config/network.js';
import { nativeOps } from '../native.js';
import { bool, float, rawOp, type Tensor } from '../tf.js';
import * as reference from './reference.js';

export type { BatchNormGradients, BatchNormParameters, BatchNormSilu } from './reference.js';

const native: typeof reference = { batchNormSilu: nativeForward, batchNormSiluGrad: nativeGrad };

/**
 * SiLU(batch norm(x)) and its gradients; see `reference.ts`. The native op recomputes what the gradients need from x
 * and the statistics, and keeps nothing else of x's size.
 *
 * @example
 * const { y, batch, saved } = batchNormSilu(x, { gamma, beta, mean, variance }, true);
 * const { dx, dgamma, dbeta } = batchNormSiluGrad(dy, x, { gamma, beta }, saved, true);
 */
export const { batchNormSilu, batchNormSiluGrad } = nativeOps ? native : reference;

function nativeForward(
  x: Tensor,
  { gamma, beta, mean, variance }: reference.BatchNormParameters,
  training: boolean,
): reference.BatchNormSilu {
  const [y, savedMean, rstd, batchVariance] = rawOp(
    'YoloxBatchNormSilu',
    [x, gamma, beta, mean, variance],
    { epsilon: float(BATCH_NORM_EPSILON), training: bool(training) },
    4,
  );
  if (training) return { y, batch: { mean: savedMean, variance: batchVariance }, saved: [savedMean.clone(), rstd] };
  batchVariance.dispose();
  return { y, saved: [savedMean, rstd] };
}

function nativeGrad(
  dy: Tensor,
  x: Tensor,
  { gamma, beta }: Pick<reference.BatchNormParameters, 'gamma' | 'beta'>,
  saved: readonly Tensor[],
  training: boolean,
): reference.BatchNormGradients {
  const inputs = [dy, x, gamma, beta, ...saved];
  const [dx, dgamma, dbeta] = rawOp('YoloxBatchNormSiluGrad', inputs, { training: bool(training) }, 3);
  return { dx, dgamma, dbeta };
}
