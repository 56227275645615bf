import { TrainState } from '../src/model/train_state.js';
import { initialWeights } from '../src/model/weights/init.js';
import { type BenchResult, spread } from './paired.js';
import { torchPeakMegabytes } from './peers/torch_peer.js';
import { architecture, BATCH, NAME, options, randomImages, randomLabels, SIDE } from './step_case.js';

const STEPS = 5;

/** The most memory a process has held after some training steps, all of it: Node, TensorFlow and the step. */
export default async function trainMemory(): Promise<{ results: BenchResult[] }> {
  const state = new TrainState(initialWeights(architecture, 1), architecture, options);
  const [images, labels] = [randomImages(), randomLabels()];
  for (let step = 0; step < STEPS; step++) state.update(images, labels, 1e-4, false);
  const ours = process.resourceUsage().maxRSS / 1024;
  const peer = await torchPeakMegabytes({ variant: 's', size: SIDE, batch: BATCH, threads: 2, steps: STEPS });
  if (!peer) return { results: [] };
  const ratio = spread([peer.megabytes / ours]);
  return {
    results: [{ case: `${NAME}, peak memory`, unit: 'MB', ours, peer: peer.megabytes, peer_name: peer.name, ratio }],
  };
}
