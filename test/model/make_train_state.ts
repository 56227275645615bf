/**
 * Makes train_state.expected.json, which train_state.test.ts compares with: PyTorch trains in double precision on
 * the images, labels and weights of train_state_case.ts. VENV as bench/peers/yolox_torch.py says, DIR an empty folder:
 *
 *     npx tsx test/model/make_train_state.ts inputs DIR
 *     VENV/bin/python bench/peers/yolox_torch.py fixture DIR
 *     npx tsx test/model/make_train_state.ts expected DIR
 *     npx biome format --write test/model/train_state.expected.json
 */
import { join } from 'node:path';
import { writeJson } from '../../src/base/files.js';
import { readSafetensors, type Tensor, writeSafetensors } from '../../src/model/weights/safetensors.js';
import { readWeights } from '../support/golden.js';
import {
  architecture,
  batches,
  cases,
  LABELS,
  type Summary,
  startingWeights,
  summarize,
  type TrainCase,
} from './train_state_case.js';

const [action, dir] = process.argv.slice(2);
if (action === 'inputs') await writeInputs();
else if (action === 'expected') await writeExpected();
else throw new Error('usage: make_train_state.ts inputs|expected DIR');

async function writeInputs(): Promise<void> {
  for (const trainCase of cases) {
    const { images, shape, labels } = batches(trainCase.lr);
    const tensors = new Map([
      ['images_nchw_bgr', { shape, data: images }],
      ['labels', { shape: LABELS, data: labels }],
    ]);
    await writeSafetensors(file(trainCase.name, 'io'), tensors, metadata(trainCase));
    await writeSafetensors(file(trainCase.name, 'init'), startingWeights());
  }
}

/** Settings by the names golden data has for them, and a few more. */
function metadata({ lr, options: { optimizer, ema, freeze } }: TrainCase): Record<string, string> {
  const settings = {
    depth: architecture.depth,
    width: architecture.width,
    num_classes: architecture.classes,
    lr,
    optimizer: optimizer.name,
    momentum: optimizer.momentum,
    weight_decay: optimizer.weightDecay,
    ema_decay: ema.decay,
    ema_ramp: ema.ramp,
    l1_from_step: batches(lr).l1FromStep,
    freeze,
  };
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)]));
}

async function writeExpected(): Promise<void> {
  const expected: Record<string, Summary> = {};
  for (const { name } of cases) {
    const { tensors } = await readSafetensors(file(name, 'losses'));
    const { shape, data } = tensors.get('losses') as Tensor;
    const losses = Array.from({ length: shape[0] }, (_, step) =>
      Array.from(data.subarray(step * 5, step * 5 + 5), Number),
    );
    expected[name] = summarize(losses, await readWeights(file(name, 'final')), await readWeights(file(name, 'ema')));
  }
  const rounded = JSON.stringify(expected, (_, value) => (typeof value === 'number' ? +value.toPrecision(6) : value));
  await writeJson(join(import.meta.dirname, 'train_state.expected.json'), JSON.parse(rounded));
}

function file(name: string, part: string): string {
  return join(dir, `train_${name}.${part}.safetensors`);
}
