import * as assert from 'uvu/assert';
import { configSchema } from '../../src/config/schema.js';
import { tf } from '../../src/kernels/tf.js';
import { TrainState } from '../../src/model/train_state.js';
import type { Weights } from '../../src/model/weights/weights.js';
import { golden, suiteNeeding } from '../helpers.js';
import { maxDifference, readGolden, readWeights, toNhwc } from './read.js';

const cases = golden(/^train_.*\.io\.safetensors$/);
const test = suiteNeeding('golden training steps', cases);

for (const path of cases) {
  test(`${path.split('/').pop()}`, async () => {
    const io = await readGolden(path);
    const meta = io.metadata;
    const beside = (part: string) => readWeights(path.replace('.io.', `.${part}.`));
    const { train } = configSchema.parse({});
    const state = new TrainState(
      await beside('init'),
      { depth: +meta.depth, width: +meta.width, depthwise: false, classes: +meta.num_classes },
      {
        ...train,
        optimizer: {
          ...train.optimizer,
          momentum: +meta.momentum,
          nesterov: meta.nesterov === 'true',
          weightDecay: +meta.weight_decay,
        },
        ema: { ...train.ema, decay: +meta.ema_decay },
        fixedBatchNorm: false,
      },
    );
    const [steps, n, c, h, w] = io.shape('images_nchw_bgr');
    const [, , rows] = io.shape('labels');
    for (let step = 0; step < steps; step++) {
      const part = (name: string, length: number) => io.values(name).subarray(step * length, (step + 1) * length);
      const images = tf.tensor4d(toNhwc(part('images_nchw_bgr', n * c * h * w), [n, c, h, w]), [n, h, w, c]);
      const labels = part('labels', n * rows * 5);
      const { losses } = state.update(images, labels, +meta.lr, step >= +meta.l1_from_step);
      images.dispose();
      const expected = part('losses', 5);
      [losses.total, losses.iou, losses.obj, losses.cls, losses.l1].forEach((ours, i) => {
        const bound = 1e-3 * Math.max(Math.abs(expected[i]), 1e-6);
        assert.ok(Math.abs(ours - expected[i]) <= bound, `step ${step}: loss ${i} is ${ours}, not ${expected[i]}`);
      });
    }
    assertClose(state.snapshot().weights, await beside('final'));
    assertClose(state.averaged(), await beside('ema'));
    state.dispose();
  });
}

function assertClose(ours: Weights, theirs: Weights): void {
  assert.is(ours.size, theirs.size);
  for (const [name, { data }] of theirs) {
    const difference = maxDifference(ours.get(name)?.data ?? [], data);
    assert.ok(difference <= 1e-4, `${name} differs by ${difference}`);
  }
}

test.run();
