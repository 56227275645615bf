import { configSchema } from '../src/config/schema.js';
import { simOtaAssign } from '../src/kernels/sim_ota_assign/index.js';
import { type Tensor, type Tensor4D, tf } from '../src/kernels/tf.js';
import { yoloxLoss } from '../src/kernels/yolox_loss/index.js';
import { anchorsOf } from '../src/model/inference.js';
import { toTensors } from '../src/model/layout.js';
import { type Architecture, yolox } from '../src/model/network.js';
import { isTrainable, parameters } from '../src/model/parameters.js';
import { TrainState } from '../src/model/train_state.js';
import { initialWeights } from '../src/model/weights/init.js';
import type { Weights } from '../src/model/weights/weights.js';
import { type BenchResult, paired } from './paired.js';
import { TfjsLayers } from './peers/tfjs_layers.js';
import { startTorchPeer } from './peers/torch_peer.js';

const SIDE = 416;
const BATCH = 4;
const BOXES = 8;
const NAME = `YOLOX-S step ${SIDE}² batch ${BATCH}`;
const architecture: Architecture = { depth: 0.33, width: 0.5, depthwise: false, classes: 80 };

/** A whole training step: forward, SimOTA, losses, backward, SGD, EMA. Peers: tfjs' own autodiff, and PyTorch. */
export default async function trainStep(): Promise<{ results: BenchResult[] }> {
  const weights = initialWeights(architecture, 1);
  const { train } = configSchema.parse({});
  const state = new TrainState(weights, architecture, { ...train, fixedBatchNorm: false });
  const images = tf.randomUniform([BATCH, SIDE, SIDE, 3], 0, 255, 'float32', 1) as Tensor4D;
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

function randomLabels(): Float32Array {
  const boxes = tf.randomUniform([BATCH * BOXES, 4], 0.1, 0.5, 'float32', 2).dataSync();
  const labels = new Float32Array(BATCH * BOXES * 5);
  for (let i = 0; i < BATCH * BOXES; i++) {
    const [x, y, w, h] = boxes.subarray(4 * i, 4 * i + 4);
    labels.set([i % architecture.classes, 2 * x * SIDE, 2 * y * SIDE, w * SIDE, h * SIDE], 5 * i);
  }
  return labels;
}

/** The same step as tfjs alone would do it: composed layers on its tape, one update and one average per variable. */
function tfjsStep(weights: Weights, images: Tensor4D, labels: Float32Array): () => void {
  const list = parameters(architecture).filter(isTrainable);
  const tensors = toTensors(weights, list);
  const variables = list.map(({ name }) => tf.variable(tensors.get(name) as Tensor));
  const averages = variables.map((variable) => tf.variable(variable));
  const optimizer = tf.train.momentum(1e-4, 0.9, true);
  const anchors = anchorsOf(SIDE, SIDE);
  const { classes } = architecture;
  return () => {
    const named = new Map(list.map(({ name }, i) => [name, variables[i] as Tensor]));
    const { grads } = tf.variableGrads(() => {
      const levels = yolox(new TfjsLayers(named), images, architecture);
      const raw = tf.concat(
        levels.map(({ reg, obj, cls }) => tf.concat([reg, obj, cls], 3).reshape([BATCH, -1, 5 + classes])),
        1,
      );
      const values = raw.dataSync() as Float32Array;
      const assignment = simOtaAssign(values, labels, BATCH, classes, anchors);
      // A copy, off the tape: the loss brings its own gradient.
      const { grad } = yoloxLoss(tf.tensor(values, raw.shape), labels, assignment, anchors, { classes, useL1: false });
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
