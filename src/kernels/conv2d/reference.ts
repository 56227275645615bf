import { bool, FLOAT32, int, rawOp, string, type Tensor, tf } from '../tf.js';

/** Padding is (kernel − 1) / 2 on every side, as in YOLOX; TensorFlow's SAME differs for stride 2. */
export interface Conv2dOptions {
  stride: number;
  /** The filter is [h,w,channels,1] and every channel is convolved on its own. */
  depthwise: boolean;
}

/**
 * x [N,H,W,C] float32, filter [h,w,C,O] (depthwise [h,w,C,1]) → [N,H/stride,W/stride,O].
 * The caller owns the result.
 */
export function conv2d(x: Tensor, filter: Tensor, options: Conv2dOptions): Tensor {
  return rawOp(options.depthwise ? 'DepthwiseConv2dNative' : 'Conv2D', [x, filter], attributes(filter, options))[0];
}

/** Gradient with respect to the input, of shape `xShape`. */
export function conv2dInputGrad(xShape: number[], filter: Tensor, dy: Tensor, options: Conv2dOptions): Tensor {
  const sizes = tf.tensor1d(xShape, 'int32');
  const name = options.depthwise ? 'DepthwiseConv2dNativeBackpropInput' : 'Conv2DBackpropInput';
  const [dx] = rawOp(name, [sizes, filter, dy], attributes(filter, options));
  sizes.dispose();
  return dx;
}

/** Gradient with respect to the filter, of the shape of `filter`. */
export function conv2dFilterGrad(x: Tensor, filter: Tensor, dy: Tensor, options: Conv2dOptions): Tensor {
  const sizes = tf.tensor1d(filter.shape, 'int32');
  const name = options.depthwise ? 'DepthwiseConv2dNativeBackpropFilter' : 'Conv2DBackpropFilter';
  const [dw] = rawOp(name, [x, sizes, dy], attributes(filter, options));
  sizes.dispose();
  return dw;
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
