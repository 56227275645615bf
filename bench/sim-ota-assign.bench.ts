import { anchorGrid } from '../src/config/network.js';
import { simOtaAssign } from '../src/kernels/sim_ota_assign/index.js';
import * as reference from '../src/kernels/sim_ota_assign/reference.js';
import { tf } from '../src/kernels/tf.js';
import { CASE, NAME, randomObjects, randomOutputs } from './head_case.js';
import { type BenchResult, paired } from './paired.js';
import { flags, startPythonPeer } from './peers/torch_peer.js';

const THREADS = 2;

/** Assignment of a batch. Peers: the plain version, and PyTorch. */
export default async function simOtaAssignBench(): Promise<{ results: BenchResult[] }> {
  const anchors = anchorGrid(CASE.size, CASE.size);
  const [raw, labels] = [randomOutputs(anchors.count), randomObjects()];
  const work = (assign: typeof simOtaAssign) => () => {
    const assignment = assign(raw, labels, anchors);
    assignment.numFg.dataSync();
    tf.dispose(assignment);
  };
  const ours = work(simOtaAssign);
  const plain = { peer: work(reference.simOtaAssign), peerName: 'plain JavaScript' };
  const results = [await paired({ name: NAME, ours, ...plain, rounds: 5, warmUp: 1 })];
  const torch = await startPythonPeer('sim_ota_torch.py', flags({ ...CASE, threads: THREADS }));
  if (torch) {
    results.push(await paired({ name: NAME, ours, peer: torch.step, peerName: torch.name, rounds: 20 }));
    torch.stop();
  }
  return { results };
}
