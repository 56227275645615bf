import type { Architecture } from '../src/config/network.js';
import { configSchema } from '../src/config/schema.js';
import { type Tensor4D, tf } from '../src/kernels/tf.js';
import type { TrainOptions } from '../src/model/train_state.js';

export const SIDE = 416;
export const BATCH = 4;
/** Boxes in each image. */
export const BOXES = 8;
/** YOLOX-S. */
export const architecture: Architecture = { depth: 0.33, width: 0.5, depthwise: false, classes: 80 };
export const NAME = `YOLOX-S step ${SIDE}² batch ${BATCH}`;

/** As a run trains by default. */
export const options: TrainOptions = { ...configSchema.parse({}).train, fixedBatchNorm: false };

/** [N,H,W,3] noise of 0 to 255. */
export const randomImages = (): Tensor4D => tf.randomUniform([BATCH, SIDE, SIDE, 3], 0, 255, 'float32', 1) as Tensor4D;

/** [N,BOXES,5]: class, centre and size in pixels. */
export function randomLabels(): Float32Array {
  const boxes = tf.randomUniform([BATCH * BOXES, 4], 0.1, 0.5, 'float32', 2).dataSync();
  const labels = new Float32Array(BATCH * BOXES * 5);
  for (let i = 0; i < BATCH * BOXES; i++) {
    const [x, y, w, h] = boxes.subarray(4 * i, 4 * i + 4);
    labels.set([i % architecture.classes, 2 * x * SIDE, 2 * y * SIDE, w * SIDE, h * SIDE], 5 * i);
  }
  return labels;
}
