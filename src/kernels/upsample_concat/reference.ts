import { type Tensor, type Tensor4D, tf } from '../tf.js';

/**
 * coarse [N,H,W,A] at twice its height and width (nearest neighbour) beside fine [N,2H,2W,B], all float32 →
 * [N,2H,2W,A+B]. The caller owns the result.
 */
export function upsampleConcat(coarse: Tensor, fine: Tensor): Tensor {
  const [, h, w] = coarse.shape;
  return tf.tidy(() => {
    const upsampled = tf.image.resizeNearestNeighbor(coarse as Tensor4D, [2 * h, 2 * w]);
    return tf.concat([upsampled, fine as Tensor4D], 3);
  });
}

/** Gradients of `upsampleConcat` with respect to coarse, of `channels` channels, and fine, from that of its result. */
export function upsampleConcatGrad(dy: Tensor, channels: number): { dcoarse: Tensor; dfine: Tensor } {
  const [n, h, w, all] = dy.shape;
  return tf.tidy(() => {
    const [upsampled, dfine] = tf.split(dy, [channels, all - channels], 3);
    const dcoarse = upsampled
      .reshape([n, h / 2, 2, w * channels])
      .sum(2)
      .reshape([n, h / 2, w / 2, 2, channels])
      .sum(3);
    return { dcoarse, dfine };
  });
}
