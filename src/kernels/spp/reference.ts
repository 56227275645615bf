import { SPP_KERNELS } from '../../config/network.js';
import { type Tensor, type Tensor4D, tf } from '../tf.js';

export interface PyramidPool {
  /** [N,H,W,4C]: x, then its maxima over 5×5, 9×9 and 13×13, stride 1, same size. */
  y: Tensor;
  /** What the gradient needs besides x; disposed by its owner. */
  saved: Tensor[];
}

/** Spatial pyramid pooling of x [N,H,W,C] float32. The caller owns every tensor returned. */
export function spp(x: Tensor): PyramidPool {
  const y = tf.tidy(() => tf.concat([x as Tensor4D, ...SPP_KERNELS.map((kernel) => pool(x, kernel))], 3));
  return { y, saved: [] };
}

/**
 * Gradient of `spp` with respect to x from that of y. Each maximum passes its gradient to the first value equal to it
 * in the window, in row-major order.
 */
export function sppGrad(dy: Tensor, x: Tensor, _saved: Tensor[]): Tensor {
  return tf.tidy(() => {
    const [direct, ...pooled] = tf.split(dy, 1 + SPP_KERNELS.length, 3);
    const grads = pooled.map((grad, i) => tf.grad((value: Tensor) => pool(value, SPP_KERNELS[i]))(x, grad));
    return tf.addN([direct, ...grads]);
  });
}

const pool = (x: Tensor, kernel: number): Tensor4D => tf.maxPool(x as Tensor4D, kernel, 1, 'same');
