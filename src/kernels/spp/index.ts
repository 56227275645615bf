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

/** As in `reference.ts`; NaN goes before every number, which TensorFlow's pooling leaves open. */
export const { spp, sppGrad } = nativeOps ? native : reference;
