import { tf } from '../src/kernels/tf.js';
import { upsampleConcat, upsampleConcatGrad } from '../src/kernels/upsample_concat/index.js';
import * as reference from '../src/kernels/upsample_concat/reference.js';
import { type BenchResult, paired } from './paired.js';

/** The wider way up in the pyramid of YOLOX-S at 416², batch 4, there and back. */
export default async function upsample(): Promise<{ results: BenchResult[] }> {
  const coarse = tf.randomNormal([4, 26, 26, 128], 0, 1, 'float32', 1);
  const fine = tf.randomNormal([4, 52, 52, 128], 0, 1, 'float32', 2);
  const work = (there: typeof upsampleConcat, back: typeof upsampleConcatGrad) => () => {
    const y = there(coarse, fine);
    tf.dispose([y, ...Object.values(back(y, 128))]);
  };
  const result = await paired({
    name: 'upsample and concat 26² × 128 to 52² × 256 batch 4, forward and backward',
    peerName: 'composed',
    ours: work(upsampleConcat, upsampleConcatGrad),
    peer: work(reference.upsampleConcat, reference.upsampleConcatGrad),
  });
  return { results: [result] };
}
