import { BATCH_NORM_EPSILON } from '../../config/network.js';
import { nativeOps } from '../native.js';
import { bool, float, int, onGpu, rawOp, type Tensor } from '../tf.js';
import * as reference from './reference.js';

export type { Conv2dOptions } from './reference.js';

/** Convolutions of the network, NHWC: on oneDNN; on a GPU TensorFlow's own, which are cuDNN's. */
const own = nativeOps && !onGpu;

export const conv2d: typeof reference.conv2d = own
  ? (x, filter, options, bias) =>
      rawOp('YoloxConv2D', bias ? [x, filter, bias] : [x, filter], { ...attributes(options), N: int(bias ? 1 : 0) })[0]
  : reference.conv2d;

export const conv2dBatchNormSilu: typeof reference.conv2dBatchNormSilu = own
  ? (x, filter, { gamma, beta, mean, variance }, options) =>
      rawOp('YoloxConv2DBatchNormSilu', [x, filter, gamma, beta, mean, variance], {
        ...attributes(options),
        epsilon: float(BATCH_NORM_EPSILON),
      })[0]
  : reference.conv2dBatchNormSilu;

export const conv2dInputGrad: typeof reference.conv2dInputGrad = own
  ? ([, height, width], filter, dy, options) =>
      rawOp('YoloxConv2DInputGrad', [dy, filter], {
        ...attributes(options),
        height: int(height),
        width: int(width),
      })[0]
  : reference.conv2dInputGrad;

export const conv2dFilterGrad: typeof reference.conv2dFilterGrad = own ? filterGrad : reference.conv2dFilterGrad;

function filterGrad(
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
