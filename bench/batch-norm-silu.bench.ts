import { BATCH_NORM_EPSILON } from '../src/config/network.js';
import * as chosen from '../src/kernels/batch_norm_silu/index.js';
import * as reference from '../src/kernels/batch_norm_silu/reference.js';
import { type Tensor, tf } from '../src/kernels/tf.js';
import { type BenchResult, paired } from './paired.js';
import { flags, startPythonPeer } from './peers/torch_peer.js';

const THREADS = 2;
const BATCH = 4;
/** An early and a deep layer of YOLOX-S, and the largest: its stem at 416². */
const LAYERS = [
  { size: 160, channels: 64 },
  { size: 26, channels: 256 },
  { size: 208, channels: 32 },
];

/** Forward and backward with the batch's statistics. Peers: tfjs' own autodiff, TensorFlow's fused ops, and PyTorch. */
export default async function batchNormSiluBench(): Promise<{ results: BenchResult[] }> {
  const results: BenchResult[] = [];
  for (const { size, channels } of LAYERS) {
    const shape = [BATCH, size, size, channels];
    const [x, dy] = [1, 2].map((seed) => tf.randomNormal(shape, 0, 1, 'float32', seed));
    const [gamma, beta, mean, variance] = [
      tf.ones([channels]),
      tf.zeros([channels]),
      tf.zeros([channels]),
      tf.ones([channels]),
    ];
    const work =
      ({ batchNormSilu, batchNormSiluGrad }: typeof reference) =>
      () => {
        const { y, batch, saved } = batchNormSilu(x, { gamma, beta, mean, variance }, true);
        tf.dispose([y, ...saved, { ...batch }, { ...batchNormSiluGrad(dy, x, { gamma, beta }, saved, true) }]);
      };
    const compare = async (peerName: string, peer: () => unknown) => {
      results.push(await paired({ name: `[${shape}]`, ours: work(chosen), peer, peerName, rounds: 20 }));
    };
    const autodiff = tf.grads(composed);
    await compare('tfjs autodiff', () => tf.dispose(autodiff([x, gamma, beta], dy)));
    await compare('FusedBatchNorm and SiLU', work(reference));
    const torch = await startPythonPeer(
      'batch_norm_silu_torch.py',
      flags({ batch: BATCH, size, channels, threads: THREADS }),
    );
    if (torch) {
      await compare(torch.name, torch.step);
      torch.stop();
    }
    tf.dispose([x, dy, gamma, beta, mean, variance]);
  }
  return { results };
}

/** As one writes it with tfjs. */
function composed(x: Tensor, gamma: Tensor, beta: Tensor): Tensor {
  const { mean, variance } = tf.moments(x, [0, 1, 2]);
  const z = tf.batchNorm(x, mean, variance, beta, gamma, BATCH_NORM_EPSILON);
  return z.mul(z.sigmoid());
}
