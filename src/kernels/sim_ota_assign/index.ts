import { anchorAttributes } from '../anchors.js';
import { nativeOps } from '../native.js';
import { bool, float, rawOp } from '../tf.js';
import * as reference from './reference.js';

export { ASSIGNERS, type AssignerName, type Assignment } from './reference.js';

const native: Pick<typeof reference, 'simOtaAssign'> = {
  simOtaAssign(raw, labels, anchors, name = 'main') {
    const { radius, penalty, inBox } = reference.ASSIGNERS[name];
    const attributes = {
      ...anchorAttributes(anchors),
      radius: float(radius),
      iou_weight: float(reference.IOU_WEIGHT),
      penalty: float(penalty),
      in_box: bool(inBox),
    };
    const [matchedGt, matchedIou, numFg] = rawOp('YoloxSimOtaAssign', [raw, labels], attributes, 3);
    return { matchedGt, matchedIou, numFg };
  },
};

/**
 * SimOTA label assignment (Ge et al. 2021, section 2.1): decides which anchor learns which object; see `reference.ts`.
 *
 * @example
 * const { matchedGt, matchedIou, numFg } = simOtaAssign(raw, labels, anchorGrid(640, 640));
 */
export const { simOtaAssign } = nativeOps ? native : reference;
