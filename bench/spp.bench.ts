import { spp, sppGrad } from '../src/kernels/spp/index.js';
import * as reference from '../src/kernels/spp/reference.js';
import { tf } from '../src/kernels/tf.js';
import { type BenchResult, paired } from './paired.js';

/** The pyramid pooling of YOLOX-S at 416², batch 4, there and back, against TensorFlow's pools and concat. */
export default async function sppBench(): Promise<{ results: BenchResult[] }> {
  const x = tf.randomNormal([4, 13, 13, 256], 0, 1, 'float32', 1);
  const dy = tf.randomNormal([4, 13, 13, 1024], 0, 1, 'float32', 2);
  const there = (op: typeof spp, back: typeof sppGrad) => () => {
    const { y, saved } = op(x);
    tf.dispose([y, back(dy, x, saved), ...saved]);
  };
  const result = await paired({
    name: 'SPP 13² × 256 batch 4, forward and backward',
    peerName: 'composed',
    ours: there(spp, sppGrad),
    peer: there(reference.spp, reference.sppGrad),
  });
  return { results: [result] };
}
