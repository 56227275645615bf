import { nativeOps } from '../native.js';
import { int, rawOp } from '../tf.js';
import * as reference from './reference.js';

const native: typeof reference = {
  upsampleConcat: (coarse, fine) => rawOp('YoloxUpsampleConcat', [coarse, fine], {})[0],
  upsampleConcatGrad(dy, channels) {
    const [dcoarse, dfine] = rawOp('YoloxUpsampleConcatGrad', [dy], { coarse_channels: int(channels) }, 2);
    return { dcoarse, dfine };
  },
};

/**
 * Doubles the coarse map's size and joins it with the fine one, and splits the gradient again; see `reference.ts`.
 *
 * @example
 * const y = upsampleConcat(coarse, fine);
 * const { dcoarse, dfine } = upsampleConcatGrad(dy, coarse.shape[3]);
 */
export const { upsampleConcat, upsampleConcatGrad } = nativeOps ? native : reference;
