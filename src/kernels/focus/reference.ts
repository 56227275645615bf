import { type Tensor, tf } from '../tf.js';

/**
 * Space to depth: x [N,H,W,C] float32 with even H and W → [N,H/2,W/2,4C], the 2×2 cells in the order top left,
 * bottom left, top right, bottom right. The caller owns the result.
 */
export function focus(x: Tensor): Tensor {
  const [n, h, w, c] = x.shape;
  return tf.tidy(() =>
    x
      .reshape([n, h / 2, 2, w / 2, 2, c])
      .transpose([0, 1, 3, 4, 2, 5])
      .reshape([n, h / 2, w / 2, 4 * c]),
  );
}
