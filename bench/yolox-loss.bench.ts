import { anchorGrid } from '../src/config/network.js';
import { simOtaAssign } from '../src/kernels/sim_ota_assign/index.js';
import { tf } from '../src/kernels/tf.js';
import { yoloxLoss } from '../src/kernels/yolox_loss/index.js';
import * as reference from '../src/kernels/yolox_loss/reference.js';
import { CASE, NAME, randomObjects, randomOutputs } from './head_case.js';
import { type BenchResult, paired } from './paired.js';

/** Losses and gradient of a batch, with L1. */
export default async function yoloxLossBench(): Promise<{ results: BenchResult[] }> {
  const anchors = anchorGrid(CASE.size, CASE.size);
  const [raw, labels] = [randomOutputs(anchors.count), randomObjects()];
  const assignment = simOtaAssign(raw, labels, anchors);
  const work = (loss: typeof yoloxLoss) => () => {
    const result = loss(raw, labels, assignment, anchors, { classes: CASE.classes, useL1: true });
    result.losses.dataSync();
    tf.dispose(result);
  };
  const composed = { peer: work(reference.yoloxLoss), peerName: 'composed' };
  return { results: [await paired({ name: NAME, ours: work(yoloxLoss), ...composed, rounds: 20 })] };
}
