import { type Tensor, type Tensor4D, tf } from '../tf.js';

/** Tensors [N,H,W,Cᵢ] float32, up to four, → [N,H,W,ΣCᵢ]. The caller owns the result. */
export const concat = (xs: readonly Tensor[]): Tensor => tf.concat(xs as Tensor4D[], 3);

/** Gradients of `concat` from that of its result: dy [N,H,W,ΣCᵢ] split into `sizes` channels each. */
export const concatGrad = (dy: Tensor, sizes: readonly number[]): Tensor[] => tf.split(dy, [...sizes], 3);
