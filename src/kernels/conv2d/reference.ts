import { type BatchNormParameters, batchNormSilu } from '../batch_norm_silu/index.js';
import { bool, FLOAT32, int, onGpu, rawOp, reshape, string, type Tensor, tf } from '../tf.js';

/** Padding is (kernel − 1) / 2 on every side, as in YOLOX; TensorFlow's SAME differs for stride 2. */
export interface Conv2dOptions {
  stride: number;
  /** The filter is [h,w,channels,1] and every channel is convolved on its own. */
  depthwise: boolean;
}

/**
 * x [N,H,W,C] float32, filter [h,w,C,O] (depthwise [h,w,C,1]), bias [O] → [N,H/stride,W/stride,O].
 * The caller owns the result.
 */
export function conv2d(x: Tensor, filter: Tensor, options: Conv2dOptions, bias?: Tensor): Tensor {
  const y = convolve(x, filter, options);
  if (!bias) return y;
  const sum = tf.add(y, bias);
  y.dispose();
  return sum;
}

function convolve(x: Tensor, filter: Tensor, options: Conv2dOptions): Tensor {
  if (isPointwise(filter, options)) {
    return matmul(rows(x), matrix(filter), {}, [...x.shape.slice(0, 3), filter.shape[3] as number]);
  }
  return rawOp(options.depthwise ? 'DepthwiseConv2dNative' : 'Conv2D', [x, filter], attributes(filter, options))[0];
}

/** Gradient with respect to the input, of shape `xShape`. */
export function conv2dInputGrad(xShape: number[], filter: Tensor, dy: Tensor, options: Conv2dOptions): Tensor {
  if (isPointwise(filter, options)) return matmul(rows(dy), matrix(filter), { transposeB: true }, xShape);
  const sizes = tf.tensor1d(xShape, 'int32');
  const name = options.depthwise ? 'DepthwiseConv2dNativeBackpropInput' : 'Conv2DBackpropInput';
  const [dx] = rawOp(name, [sizes, filter, dy], attributes(filter, options));
  sizes.dispose();
  return dx;
}

/** Convolution, batch norm with the stored statistics and SiLU, for inference. */
export function conv2dBatchNormSilu(
  x: Tensor,
  filter: Tensor,
  parameters: BatchNormParameters,
  options: Conv2dOptions,
): Tensor {
  const convolved = conv2d(x, filter, options);
  const { y, saved } = batchNormSilu(convolved, parameters, false);
  tf.dispose([convolved, ...saved]);
  return y;
}

/** Gradients with respect to the filter, of its shape, and on request the bias [O]. */
export function conv2dFilterGrad(
  x: Tensor,
  filter: Tensor,
  dy: Tensor,
  options: Conv2dOptions,
  withBias = false,
): { dfilter: Tensor; dbias?: Tensor } {
  const dfilter = filterGrad(x, filter, dy, options);
  return withBias ? { dfilter, dbias: tf.sum(dy, [0, 1, 2]) } : { dfilter };
}

function filterGrad(x: Tensor, filter: Tensor, dy: Tensor, options: Conv2dOptions): Tensor {
  if (isPointwise(filter, options)) return matmul(rows(x), rows(dy), { transposeA: true }, filter.shape);
  const sizes = tf.tensor1d(filter.shape, 'int32');
  const name = options.depthwise ? 'DepthwiseConv2dNativeBackpropFilter' : 'Conv2DBackpropFilter';
  const [dw] = rawOp(name, [x, sizes, dy], attributes(filter, options));
  sizes.dispose();
  return dw;
}

/**
 * A 1×1 convolution is a matrix product, and as such up to four times as fast on TensorFlow's CPU kernels. Those of a GPU
 * see that by themselves, and there the reshapes would be three more ops to dispatch.
 */
const isPointwise = ({ shape }: Tensor, { stride, depthwise }: Conv2dOptions): boolean =>
  !onGpu && shape[0] === 1 && shape[1] === 1 && stride === 1 && !depthwise;

/** [N,H,W,C] → [N·H·W,C]. */
const rows = (x: Tensor): Tensor => reshape(x, [-1, x.shape[3] as number]);

/** [1,1,C,O] → [C,O]. */
const matrix = (filter: Tensor): Tensor => reshape(filter, filter.shape.slice(2));

/** The product of two matrices in the shape asked for. Disposes of both. */
function matmul(a: Tensor, b: Tensor, { transposeA = false, transposeB = false }, shape: number[]): Tensor {
  const attributes = { T: FLOAT32, transpose_a: bool(transposeA), transpose_b: bool(transposeB) };
  const [product] = rawOp('MatMul', [a, b], attributes);
  const result = reshape(product, shape);
  tf.dispose([a, b, product]);
  return result;
}

function attributes(filter: Tensor, { stride, depthwise }: Conv2dOptions) {
  const [h, w] = filter.shape;
  const [top, left] = [(h - 1) / 2, (w - 1) / 2];
  return {
    T: FLOAT32,
    strides: int([1, stride, stride, 1]),
    padding: string('EXPLICIT'),
    explicit_paddings: int([0, 0, top, top, left, left, 0, 0]),
    data_format: string('NHWC'),
    dilations: int([1, 1, 1, 1]),
    ...(depthwise ? {} : { use_cudnn_on_gpu: bool(true) }),
  };
}
