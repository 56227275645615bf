/** Batch normalisation followed by SiLU, forward and gradient, NHWC. */
export {
  type BatchNormParameters,
  type BatchNormSilu,
  batchNormSilu,
  batchNormSiluGrad,
} from './reference.js';
