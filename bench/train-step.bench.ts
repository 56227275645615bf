import { anchorGrid } from '../src/config/network.js';
import { simOtaAssign } from '../src/kernels/sim_ota_assign/reference.js';
import { type Tensor, type Tensor4D, tf } from '../src/kernels/tf.js';
import { yoloxLoss } from '../src/kernels/yolox_loss/reference.js';
import { toTensors } from '../src/model/layout.js';
import { yolox } from '../src/model/network.js';
import { isTrainable, parameters } from '../src/model/parameters.js';
import { TrainState } from '../src/model/train_state.js';
import { initialWeights } from '../src/model/weights/init.js';
import type { Weights } from '../src/model/weights/weights.js';
import { TfjsLayers } from '../test/support/tfjs_layers.js';
import { type BenchResult, paired } from './paired.js';
import { startTorchPeer } from './peers/torch_peer.js';
import { architecture, BATCH, BOXES, NAME, options, randomImages, randomLabels, SIDE } from './step_case.js';

/** A whole training step: forward, SimOTA, losses, backward, SGD, EMA. Peers: tfjs' own autodiff, and PyTorch. */
export default async function trainStep(): Promise<{ results: BenchResult[] }> {
  const weights = initialWeights(architecture, 1);
  const state = new TrainState(weights, architecture, options);
  const images = randomImages();
  const labels = randomLabels();
  const ours = () => state.update(images, labels, 1e-4, false);

  const results = [
    await paired({
      name: NAME,
      ours,
      peer: tfjsStep(weights, images, labels),
      peerName: 'tfjs autodiff',
      rounds: 5,
      warmUp: 1,
    }),
  ];
  const torch = await startTorchPeer({ variant: 's', size: SIDE, batch: BATCH, threads: 2 });
  if (torch) {
    results.push(await paired({ name: NAME, ours, peer: torch.step, peerName: torch.name, rounds: 8, warmUp: 2 }));
    torch.stop();
  }
  return { results };
}

/** The same step as tfjs alone would do it: composed layers on its tape, one update and one average per variable. */
function tfjsStep(weights: Weights, images: Tensor4D, labels: Float32Array): () => void {
  const list = parameters(architecture).filter(isTrainable);
  const tensors = toTensors(weights, list);
  const variables = list.map(({ name }) => tf.variable(tensors.get(name) as Tensor));
  const averages = variables.map((variable) => tf.variable(variable));
  const optimizer = tf.train.momentum(1e-4, 0.9, true);
  const anchors = anchorGrid(SIDE, SIDE);
  const objects = tf.tensor3d(labels, [BATCH, BOXES, 5]);
  const { classes } = architecture;
  return () => {
    const named = new Map(list.map(({ name }, i) => [name, variables[i] as Tensor]));
    const { grads } = tf.variableGrads(() => {
      const levels = yolox(new TfjsLayers(named), images, architecture);
      const raw = tf.concat(
        levels.map(({ reg, obj, cls }) => tf.concat([reg, obj, cls], 3).reshape([BATCH, -1, 5 + classes])),
        1,
      );
      // A copy, off the tape: the loss brings its own gradient.
      const outputs = tf.tensor(raw.dataSync(), raw.shape);
      const assignment = simOtaAssign(outputs, objects, anchors);
      const { grad } = yoloxLoss(outputs, objects, assignment, anchors, { classes, useL1: false });
      // The gradient of this product with respect to raw is `grad`.
      return raw.mul(grad).sum();
    }, variables);
    optimizer.applyGradients(Object.entries(grads).map(([name, tensor]) => ({ name, tensor })));
    tf.tidy(() => {
      for (const [i, average] of averages.entries()) average.assign(average.mul(0.9998).add(variables[i].mul(0.0002)));
    });
    tf.dispose(grads);
  };
}
