import { concat, concatGrad } from '../src/kernels/concat/index.js';
import * as reference from '../src/kernels/concat/reference.js';
import { tf } from '../src/kernels/tf.js';
import { type BenchResult, paired } from './paired.js';

/** The joints of the first and the deepest CSP layer of YOLOX-S at 416², batch 4, there and back. */
export default async function concatBench(): Promise<{ results: BenchResult[] }> {
  const results: BenchResult[] = [];
  for (const [side, channels] of [
    [104, 32],
    [13, 256],
  ]) {
    const xs = [1, 2].map((seed) => tf.randomNormal([4, side, side, channels], 0, 1, 'float32', seed));
    const work = (join: typeof concat, split: typeof concatGrad) => () => {
      const y = join(xs);
      tf.dispose([y, ...split(y, [channels, channels])]);
    };
    results.push(
      await paired({
        name: `concat and split ${side}² × ${channels} + ${channels} batch 4`,
        peerName: 'ConcatV2 and SplitV',
        ours: work(concat, concatGrad),
        peer: work(reference.concat, reference.concatGrad),
      }),
    );
    tf.dispose(xs);
  }
  return { results };
}
