import { type Tensor, tf } from '../kernels/tf.js';
import type { LevelOutput } from './network.js';
import type { Node } from './tf_layers.js';

/** Joins the outputs of the levels to one tensor [N,A,5+C]: tx, ty, tw, th, objectness, classes; the caller owns it. */
export function joinLevels(levels: readonly LevelOutput<Node>[]): Tensor {
  return tf.tidy(() =>
    tf.concat(
      levels.map(({ reg, obj, cls }) => {
        const columns = tf.concat([reg.value, obj.value, cls.value], 3);
        const [n, h, w, c] = columns.shape;
        return columns.reshape([n, h * w, c]);
      }),
      1,
    ),
  );
}

/** Splits the gradient of `joinLevels`' result into gradients of the levels' outputs. Disposes of `grad`. */
export function splitLevels(grad: Tensor, levels: readonly LevelOutput<Node>[]): { node: Node; grad: Tensor }[] {
  const cells = levels.map(({ obj }) => obj.value.shape.slice(1, 3).reduce((a, b) => a * b, 1));
  const parts: Tensor[] = tf.tidy(() =>
    tf.split(grad, cells, 1).flatMap((part, level) => {
      const [n, h, w, classes] = levels[level].cls.value.shape;
      return tf.split(part.reshape([n, h, w, 5 + classes]), [4, 1, classes], 3);
    }),
  );
  grad.dispose();
  const nodes = levels.flatMap(({ reg, obj, cls }) => [reg, obj, cls]);
  return nodes.map((node, i) => ({ node, grad: parts[i] }));
}
