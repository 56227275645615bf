import { anchorAttributes } from '../anchors.js';
import { nativeOps } from '../native.js';
import { bool, rawOp } from '../tf.js';
import * as reference from './reference.js';

export { type Losses, readLosses, type YoloxLossOptions } from './reference.js';

const native: Pick<typeof reference, 'yoloxLoss'> = {
  yoloxLoss(raw, labels, { matchedGt, matchedIou, numFg }, anchors, { useL1 }) {
    const inputs = [raw, labels, matchedGt, matchedIou, numFg];
    const [losses, grad] = rawOp('YoloxLoss', inputs, { ...anchorAttributes(anchors), use_l1: bool(useL1) }, 2);
    return { losses, grad };
  },
};

/**
 * YOLOX's training loss and its gradient with respect to the raw head outputs; see `reference.ts`.
 *
 * @example
 * const assignment = simOtaAssign(raw, labels, anchors);
 * const { losses, grad } = yoloxLoss(raw, labels, assignment, anchors, { classes: 80, useL1: false });
 */
export const { yoloxLoss } = nativeOps ? native : reference;
