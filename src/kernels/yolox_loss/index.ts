import { anchorAttributes } from '../anchors.js';
import { nativeOps } from '../native.js';
import { bool, rawOp } from '../tf.js';
import * as reference from './reference.js';

export { type Losses, readLosses, type YoloxLossOptions } from './reference.js';

/** YOLOX's training loss and its gradient with respect to the raw head outputs. */
export const yoloxLoss: typeof reference.yoloxLoss = nativeOps ? native : reference.yoloxLoss;

function native(
  ...[raw, labels, { matchedGt, matchedIou, numFg }, anchors, { useL1, giou = false }]: Parameters<
    typeof reference.yoloxLoss
  >
) {
  const [losses, grad] = rawOp(
    'YoloxLoss',
    [raw, labels, matchedGt, matchedIou, numFg],
    { ...anchorAttributes(anchors), use_l1: bool(useL1), giou: bool(giou) },
    2,
  );
  return { losses, grad };
}
