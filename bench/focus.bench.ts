import { focus } from '../src/kernels/focus/index.js';
import * as reference from '../src/kernels/focus/reference.js';
import { tf } from '../src/kernels/tf.js';
import { type BenchResult, paired } from './paired.js';

/** Space to depth of a batch of images. */
export default async function focusBench(): Promise<{ results: BenchResult[] }> {
  const x = tf.randomUniform([4, 416, 416, 3], 0, 255, 'float32', 1);
  const work = (op: typeof focus) => () => op(x).dispose();
  const result = await paired({
    name: 'focus 416² batch 4',
    peerName: 'composed',
    ours: work(focus),
    peer: work(reference.focus),
  });
  return { results: [result] };
}
