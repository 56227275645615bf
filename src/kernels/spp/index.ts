import { nativeOps } from '../native.js';
import { rawOp } from '../tf.js';
import * as reference from './reference.js';

export type { PyramidPool } from './reference.js';

const native: Pick<typeof reference, 'spp' | 'sppGrad'> = {
  spp(x) {
    const [y, source] = rawOp('YoloxSpp', [x], {}, 2);
    return { y, saved: [source] };
  },
  sppGrad: (dy, _x, [source]) => rawOp('YoloxSppGrad', [dy, source], {})[0],
};

/**
 * Spatial pyramid pooling and its gradient; see `reference.ts`. In the native op NaN counts as larger than every
 * number; TensorFlow's pooling leaves that open.
 *
 * @example
 * const { y, saved } = spp(x);
 * const dx = sppGrad(dy, x, saved);
 */
export const { spp, sppGrad } = nativeOps ? native : reference;
