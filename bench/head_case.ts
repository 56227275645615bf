import { type Tensor, tf } from '../src/kernels/tf.js';

/** Of the benchmarks of what follows the head. */
export const CASE = { size: 640, batch: 8, classes: 80, boxes: 20 };
export const NAME = `${CASE.size}² batch ${CASE.batch}, ${CASE.classes} classes, ${CASE.boxes} boxes each`;

/** Outputs [N,A,5+C] near a trained network's: boxes the size of their anchors, most logits negative. */
export function randomOutputs(anchors: number): Tensor {
  const { batch, classes } = CASE;
  return tf.tidy(() => {
    const boxes = tf.randomUniform([batch, anchors, 4], -1, 1.5, 'float32', 1);
    return tf.concat([boxes, tf.randomUniform([batch, anchors, 1 + classes], -4, 1, 'float32', 2)], 2);
  });
}

/** Labels [N,M,5]: class, centre anywhere in the image, sides of 8 to 168 pixels. */
export function randomObjects(): Tensor {
  const { size, batch, classes, boxes } = CASE;
  return tf.tidy(() => {
    const label = tf.randomUniform([batch, boxes, 1], 0, classes, 'float32', 3).floor();
    const centre = tf.randomUniform([batch, boxes, 2], 0, size, 'float32', 4);
    return tf.concat([label, centre, tf.randomUniform([batch, boxes, 2], 8, 8 + size / 4, 'float32', 5)], 2);
  });
}
