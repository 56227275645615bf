import { nativeOps } from '../native.js';
import { int, rawOp } from '../tf.js';
import * as reference from './reference.js';

const native: typeof reference = {
  concat: (xs) => rawOp('YoloxConcat', [...xs], { N: int(xs.length) })[0],
  concatGrad: (dy, sizes) =>
    rawOp('YoloxConcatGrad', [dy], { N: int(sizes.length), sizes: int([...sizes]) }, sizes.length),
};

/**
 * Joins up to four tensors [N,H,W,Cᵢ] along the channels, and splits the gradient again; see `reference.ts`.
 *
 * @example
 * const y = concat([a, b]);
 * const [da, db] = concatGrad(dy, [a.shape[3], b.shape[3]]);
 */
export const { concat, concatGrad } = nativeOps ? native : reference;
