import { type Tensor, tf } from '../kernels/tf.js';
import type { LevelOutput } from './network.js';
import type { Node } from './tf_layers.js';

/** The levels' outputs as one tensor [N,A,5+C]: tx, ty, tw, th, objectness, classes; the caller owns it. */
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

/** The gradient of `joinLevels`' result, back on the outputs it was made of. Disposes of `grad`. */
export function splitLevels(grad: Tensor, levels: readonly LevelOutput<Node>[]): { node: Node; grad: Tensor }[] {
  const cells = levels.map(({ obj: { value } }) => value.shape[1]! * value.shape[2]!);
  const parts = tf.tidy(() =>
    tf.split(grad, cells, 1).flatMap((part, level) => {
      const { reg, obj, cls } = levels[level];
      const [n, h, w, classes] = cls.value.shape;
      const [dReg, dObj, dCls] = tf.split(part.reshape([n, h, w, 5 + classes]), [4, 1, classes], 3);
      return [dReg, dObj, dCls].map((g, i) => ({ node: [reg, obj, cls][i], grad: g }));
    }),
  );
  grad.dispose();
  return parts;
}
