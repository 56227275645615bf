import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { anchorGrid } from '../../src/config/network.js';
import { batchNormSilu, batchNormSiluGrad } from '../../src/kernels/batch_norm_silu/index.js';
import { concat, concatGrad } from '../../src/kernels/concat/index.js';
import { conv2d, conv2dFilterGrad, conv2dInputGrad } from '../../src/kernels/conv2d/index.js';
import { decodeNms } from '../../src/kernels/decode_nms/index.js';
import { focus } from '../../src/kernels/focus/index.js';
import { nativeOps } from '../../src/kernels/native.js';
import { averageStep, unflatten } from '../../src/kernels/optimizer_step/index.js';
import { simOtaAssign } from '../../src/kernels/sim_ota_assign/index.js';
import { spp, sppGrad } from '../../src/kernels/spp/index.js';
import { type Tensor, tf } from '../../src/kernels/tf.js';
import { upsampleConcat, upsampleConcatGrad } from '../../src/kernels/upsample_concat/index.js';
import { yoloxLoss } from '../../src/kernels/yolox_loss/index.js';

const test = suite('memory of our ops over ten thousand calls');

const CALLS = nativeOps ? 10_000 : 100;
/** Every call leaks less than this many bytes: the smallest output here is larger. */
const BYTES_A_CALL = 1024;
/** Measurements of which one must be below. */
const ROUNDS = 4;

const random = (shape: number[], seed = 1): Tensor => tf.randomNormal(shape, 0, 1, 'float32', seed);
const x = random([1, 4, 4, 32]);
const fine = random([1, 8, 8, 32]);
const filter = random([3, 3, 32, 32]);
const vector = random([32]);
const parameters = { gamma: vector, beta: vector, mean: vector, variance: vector.abs() };
const options = { stride: 1, depthwise: false };
const anchors = anchorGrid(32, 32, [8, 16, 32]);
const raw = random([1, anchors.count, 7]);
const labels = tf.tensor3d([0, 15, 15, 20, 20], [1, 1, 5]);
const flat = random([1024]);

const calls: Record<string, () => unknown> = {
  conv2d: () => {
    const y = conv2d(x, filter, options, undefined);
    tf.dispose([y, conv2dInputGrad(x.shape, filter, y, options), conv2dFilterGrad(x, filter, y, options).dfilter]);
  },
  batch_norm_silu: () => {
    const { y, batch, saved } = batchNormSilu(x, parameters, true);
    tf.dispose([y, { ...batchNormSiluGrad(y, x, parameters, saved, true) }, batch ?? [], saved]);
  },
  concat: () => {
    const y = concat([x, x]);
    tf.dispose([y, ...concatGrad(y, [32, 32])]);
  },
  upsample: () => {
    const y = upsampleConcat(x, fine);
    tf.dispose([y, upsampleConcatGrad(y, 32)]);
  },
  spp: () => {
    const { y, saved } = spp(x);
    tf.dispose([y, sppGrad(y, x, saved), saved]);
  },
  focus: () => focus(x).dispose(),
  sim_ota_assign: () => {
    const assignment = simOtaAssign(raw, labels, anchors);
    tf.dispose([yoloxLoss(raw, labels, assignment, anchors, { classes: 2, useL1: true }), { ...assignment }]);
  },
  decode_nms: () => decodeNms(raw, anchors, { confidence: 0.01, iou: 0.5, maxDetections: 20, agnostic: false }),
  optimizer_step: () => {
    const next = averageStep(flat.clone(), [flat], 0.5);
    tf.dispose([...unflatten(next, [[16, 16], [768]]), next]);
  },
};

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** Memory of the process that JavaScript's heap doesn't account for. */
function nativeBytes(): number {
  collectGarbage();
  const { rss, heapTotal } = process.memoryUsage();
  return rss - heapTotal;
}

for (const [name, call] of Object.entries(calls)) {
  test(name, () => {
    const repeat = (times: number) => {
      for (let i = 0; i < times; i++) tf.tidy(call as () => void);
    };
    repeat(CALLS / 10);
    const tensors = tf.memory().numTensors;
    // A leak grows in every round; an arena of malloc grows in one.
    let growth = Number.POSITIVE_INFINITY;
    for (let round = 0; round < ROUNDS && growth >= BYTES_A_CALL; round++) {
      const before = nativeBytes();
      repeat(CALLS);
      growth = (nativeBytes() - before) / CALLS;
    }
    assert.is(tf.memory().numTensors, tensors);
    assert.ok(growth < BYTES_A_CALL, `${Math.round(growth)} bytes a call`);
  });
}

test.run();
