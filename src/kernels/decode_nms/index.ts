import { anchorAttributes } from '../anchors.js';
import { nativeOps } from '../native.js';
import { bool, float, int, rawOp, tf } from '../tf.js';
import * as reference from './reference.js';

export { activate, type DecodedDetections, type DecodeNmsOptions } from './reference.js';

const native: Pick<typeof reference, 'decodeNms'> = { decodeNms: nativeDecodeNms };

/**
 * Detections from raw head outputs [N,A,5+C]: decodes boxes, drops low scores, suppresses overlapping boxes; see
 * `reference.ts`.
 *
 * @example
 * const options = { confidence: 0.25, iou: 0.45, maxDetections: 100, agnostic: false };
 * const [{ boxes, classIndex }] = decodeNms(raw, anchorGrid(640, 640), options);
 */
export const { decodeNms } = nativeOps ? native : reference;

function nativeDecodeNms(
  ...[raw, anchors, { confidence, iou, agnostic, ...options }]: Parameters<typeof reference.decodeNms>
): reference.DecodedDetections[] {
  const rows = Math.min(options.maxDetections, anchors.count);
  const attributes = {
    ...anchorAttributes(anchors),
    confidence: float(confidence),
    iou: float(iou),
    max_candidates: int(options.maxCandidates ?? anchors.count),
    max_detections: int(rows),
    agnostic: bool(agnostic),
  };
  const tensors = rawOp('YoloxDecodeNms', [raw], attributes, 5);
  const [boxes, objectness, probability, classIndex, counts] = tensors.map(
    (tensor) => tensor.dataSync() as Float32Array,
  );
  tf.dispose(tensors);
  return Array.from(counts, (count, n) => {
    const [begin, end] = [n * rows, n * rows + count];
    return {
      boxes: boxes.subarray(4 * begin, 4 * end),
      objectness: objectness.subarray(begin, end),
      probability: probability.subarray(begin, end),
      classIndex: Int32Array.from(classIndex.subarray(begin, end)),
    };
  });
}
