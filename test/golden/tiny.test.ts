import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Architecture, anchorGrid } from '../../src/config/network.js';
import { simOtaAssign } from '../../src/kernels/sim_ota_assign/index.js';
import { tf } from '../../src/kernels/tf.js';
import { yoloxLoss } from '../../src/kernels/yolox_loss/index.js';
import { Model } from '../../src/model/inference.js';
import { parameters } from '../../src/model/parameters.js';
import type { Weights } from '../../src/model/weights/weights.js';
import { maxAbs, maxDifference, toNhwc } from '../support/golden.js';

// Goldens that come with the repository: the network and the loss against PyTorch, without the shared folder.

const test = suite('tiny golden');

const read = (name: string) => JSON.parse(readFileSync(`${import.meta.dirname}/tiny/${name}.json`, 'utf8'));

/** Numbers from −0.5 to 0.5, the same as `noise` in tiny/make.py. */
function noise(count: number, seed: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => {
    const x = (Math.imul(i + 1, 2654435761) + Math.imul(seed, 40503)) >>> 0;
    return (Math.imul(x ^ (x >>> 15), 2246822519) >>> 0) / 2 ** 32 - 0.5;
  });
}

function weightsOf(architecture: Architecture): Weights {
  const list = parameters(architecture).map(({ name, shape }) => ({ name, shape }));
  list.sort((a, b) => (a.name < b.name ? -1 : 1));
  return new Map(
    list.map(({ name, shape }, seed) => {
      const size = shape.reduce((product, side) => product * side, 1);
      const fanIn = shape.slice(1).reduce((product, side) => product * side, 1);
      const [offset, gain] = /\.bn\.weight$|running_var$/.test(name)
        ? [1, 0.4]
        : shape.length === 1
          ? [0, 0.4]
          : [0, 4 / Math.sqrt(fanIn)];
      return [name, { shape: [...shape], data: Float32Array.from(noise(size, seed), (v) => offset + gain * v) }];
    }),
  );
}

test('the network gives the outputs of PyTorch', () => {
  const { architecture, size, output } = read('forward') as {
    architecture: Architecture;
    size: number;
    output: number[];
  };
  const image = Float32Array.from(noise(3 * size * size, 1000), (v) => 255 * (v + 0.5));
  const model = new Model(weightsOf(architecture), architecture);
  const found = model.predict(toNhwc(image, [1, 3, size, size]), [1, size, size]);
  model.dispose();
  assert.ok(maxAbs(output) > 10, 'boxes in pixels');
  assert.ok(maxDifference(found, output) <= 2e-3, `off by ${maxDifference(found, output)}`);
});

test('assignment, losses and gradient are those of PyTorch', () => {
  const golden = read('loss');
  const { classes, size } = golden;
  const anchors = anchorGrid(size, size);
  const shape: [number, number, number] = [golden.labels.length, anchors.count, 5 + classes];
  const values = Float32Array.from(noise(shape[0] * shape[1] * shape[2], 2000), (v) => 1.5 * v);
  const [raw, labels] = [tf.tensor3d(values, shape), tf.tensor3d(golden.labels)];
  const assignment = simOtaAssign(raw, labels, anchors);
  assert.equal(Array.from(assignment.matchedGt.dataSync()), golden.matched_gt);
  assert.ok(assignment.numFg.dataSync()[0] > 5);
  assert.ok(maxDifference(assignment.matchedIou.dataSync(), golden.matched_iou) <= 1e-5);
  const { losses, grad } = yoloxLoss(raw, labels, assignment, anchors, { classes, useL1: true });
  assert.ok(maxDifference(losses.dataSync(), golden.losses) <= 1e-4 * maxAbs(golden.losses));
  assert.ok(maxDifference(grad.dataSync(), golden.grad) <= 1e-4 * maxAbs(golden.grad));
  tf.dispose([raw, labels, assignment, losses, grad]);
});

test.run();
