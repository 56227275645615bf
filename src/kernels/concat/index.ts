import { nativeOps } from '../native.js';
import { int, rawOp } from '../tf.js';
import * as reference from './reference.js';

const native: typeof reference = {
  concat: (xs) => rawOp('YoloxConcat', [...xs], { N: int(xs.length) })[0],
  concatGrad: (dy, sizes) =>
    rawOp('YoloxConcatGrad', [dy], { N: int(sizes.length), sizes: int([...sizes]) }, sizes.length),
};

export const { concat, concatGrad } = nativeOps ? native : reference;
