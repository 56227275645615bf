import { nativeOps } from '../native.js';
import { rawOp, type Tensor } from '../tf.js';
import * as reference from './reference.js';

const native = (x: Tensor): Tensor => rawOp('YoloxFocus', [x], {})[0];

export const focus = nativeOps ? native : reference.focus;
