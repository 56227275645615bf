import { tf } from '../../src/kernels/tf.js';
import type { TrainState } from '../../src/model/train_state.js';
import { toNhwc } from '../support/golden.js';

/** What a training of a few steps is fed. */
export interface Batches {
  /** [steps,N,3,H,W], preprocessed. */
  images: Float32Array;
  shape: readonly number[];
  /** [steps,N,M,5] class, cx, cy, w, h. */
  labels: Float32Array;
  lr: number;
  /** First step with the L1 loss. */
  l1FromStep: number;
}

/** Trains one step after the other; total, IoU, objectness, class and L1 loss of each. */
export function trainSteps(state: TrainState, { images, shape, labels, lr, l1FromStep }: Batches): number[][] {
  const [steps, n, c, h, w] = shape;
  return Array.from({ length: steps }, (_, step) => {
    const part = (values: Float32Array) =>
      values.subarray((step * values.length) / steps, ((step + 1) * values.length) / steps);
    const batch = tf.tensor4d(toNhwc(part(images), [n, c, h, w]), [n, h, w, c]);
    const { losses } = state.update(batch, part(labels), lr, step >= l1FromStep);
    batch.dispose();
    return [losses.total, losses.iou, losses.obj, losses.cls, losses.l1];
  });
}
