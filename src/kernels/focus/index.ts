import { nativeOps } from '../native.js';
import { rawOp } from '../tf.js';
import * as reference from './reference.js';

const native: typeof reference = { focus: (x) => rawOp('YoloxFocus', [x], {})[0] };

/**
 * Space to depth: [N,H,W,C] → [N,H/2,W/2,4C]; see `reference.ts`.
 *
 * @example
 * const cells = focus(images); // [N,640,640,3] → [N,320,320,12]
 */
export const { focus } = nativeOps ? native : reference;
