/** Batch normalisation followed by SiLU, forward and gradient, NHWC. */
export {
  BATCH_NORM_EPSILON,
  type BatchNormParameters,
  type BatchNormSilu,
  batchNormSilu,
  batchNormSiluGrad,
} from './reference.js';
