import { BATCH_NORM_EPSILON } from '../../config/network.js';
import { nativeOps } from '../native.js';
import { bool, float, int, onGpu, rawOp, type Tensor } from '../tf.js';
import * as reference from './reference.js';

export type { Conv2dOptions } from './reference.js';

const native: typeof reference = {
  conv2d: (x, filter, options, bias) =>
    rawOp('YoloxConv2D', bias ? [x, filter, bias] : [x, filter], { ...attributes(options), N: int(bias ? 1 : 0) })[0],

  conv2dBatchNormSilu: (x, filter, { gamma, beta, mean, variance }, options) =>
    rawOp('YoloxConv2DBatchNormSilu', [x, filter, gamma, beta, mean, variance], {
      ...attributes(options),
      epsilon: float(BATCH_NORM_EPSILON),
    })[0],

  conv2dInputGrad: ([, height, width], filter, dy, options) =>
    rawOp('YoloxConv2DInputGrad', [dy, filter], { ...attributes(options), height: int(height), width: int(width) })[0],

  conv2dFilterGrad: nativeFilterGrad,
};

/**
 * Convolutions of the network, NHWC, and their gradients; see `reference.ts`. On a CPU they run on oneDNN and our
 * Winograd kernels; on a GPU TensorFlow's own run, which are cuDNN's.
 *
 * @example
 * const options = { stride: 2, depthwise: false };
 * const y = conv2d(x, filter, options);
 * const dx = conv2dInputGrad(x.shape, filter, dy, options);
 * const { dfilter } = conv2dFilterGrad(x, filter, dy, options);
 */
export const { conv2d, conv2dBatchNormSilu, conv2dInputGrad, conv2dFilterGrad } =
  nativeOps && !onGpu ? native : reference;

function nativeFilterGrad(
  x: Tensor,
  filter: Tensor,
  dy: Tensor,
  options: reference.Conv2dOptions,
  withBias = false,
): { dfilter: Tensor; dbias?: Tensor } {
  const kernel = int(filter.shape[0]);
  const [dfilter, dbias] = rawOp(
    'YoloxConv2DFilterGrad',
    [x, dy],
    { ...attributes(options), kernel, bias: bool(withBias) },
    2,
  );
  if (withBias) return { dfilter, dbias };
  dbias.dispose();
  return { dfilter };
}

const attributes = ({ stride, depthwise }: reference.Conv2dOptions) => ({
  stride: int(stride),
  depthwise: bool(depthwise),
});
