import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import { BATCH_NORM_EPSILON } from '../../../src/config/network.js';
import { LEGACY_PREPROCESS, preprocessSchema } from '../../../src/config/preprocess.js';
import { exportOnnx } from '../../../src/model/onnx/export.js';
import {
  type CheckpointInfo,
  checkpointMetadata,
  parseCheckpointMetadata,
} from '../../../src/model/weights/checkpoint.js';
import { foldBatchNorm, isFolded, setFolded } from '../../../src/model/weights/fold.js';
import { initialWeights } from '../../../src/model/weights/init.js';
import { toMmdet } from '../../../src/model/weights/key_map.js';
import { loadWeights } from '../../../src/model/weights/load.js';
import { openNetwork } from '../../../src/model/weights/open.js';
import { writeSafetensors } from '../../../src/model/weights/safetensors.js';
import type { Weights } from '../../../src/model/weights/weights.js';
import { shared, suiteNeeding } from '../../support/shared.js';
import { bytesOf, dict, storage, tensor, zipCheckpoint } from './make_pickle.js';

const PICO = { depth: 0.33, width: 0.125, depthwise: false, classes: 2 };
const INFO: CheckpointInfo = {
  architecture: PICO,
  preprocess: preprocessSchema.parse({ size: [64, 96] }),
  categories: [
    { id: 3, name: 'cat' },
    { id: 8, name: 'dog', old_id: 18 },
  ],
  epoch: 12,
  ema: true,
  source: 'made here',
};

let dir: string;
const test = suite('loading weights');
test.before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'load-'));
});
test.after(() => rm(dir, { recursive: true }));

const weights = initialWeights(PICO, 3);

function torchFile(state: Weights): Promise<Buffer> {
  const view = (key: string, shape: number[], length: number) =>
    tensor(
      storage('Float', key, length),
      shape,
      shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1)),
    );
  const entries = [...state].map(([name, { shape, data }], i) => [name, view(String(i), shape, data.length)] as const);
  const values = [...state.values()].map(({ data }, i) => [i, bytesOf(data)]);
  return zipCheckpoint(dict({ state_dict: dict(Object.fromEntries(entries)) }), Object.fromEntries(values));
}

test('our safetensors come with what they say about themselves', async () => {
  const path = join(dir, 'best.safetensors');
  await writeSafetensors(path, weights, checkpointMetadata(INFO));
  const { weights: read, format, info, preprocess, legacy, folded } = await loadWeights(path);
  assert.equal([format, info, preprocess, legacy, folded], ['safetensors', INFO, INFO.preprocess, false, false]);
  assert.equal(read, weights);
});

test('so do our ONNX files, whose batch norms are folded', async () => {
  const path = join(dir, 'model.onnx');
  const { architecture, preprocess, ...labels } = INFO;
  await writeFile(path, exportOnnx(weights, architecture, preprocess, labels));
  const { format, info, folded } = await loadWeights(path);
  assert.equal([format, info, folded], ['onnx', INFO, true]);
});

test('mmdetection checkpoints: names translated, EMA buffers and counters left', async () => {
  const state: Weights = new Map([...weights].map(([name, value]) => [toMmdet(name), value]));
  state.set('ema_backbone_stem_conv_conv_weight', { shape: [1], data: Float32Array.of(9) });
  state.set('backbone.stem.conv.bn.num_batches_tracked', { shape: [], data: Float32Array.of(9) });
  const path = join(dir, 'mmdet.pth');
  await writeFile(path, await torchFile(state));
  const { weights: read, format } = await loadWeights(path);
  assert.is(format, 'mmdet');
  assert.equal(read, weights);
});

test('the content tells the format, and what is none of them is refused', async () => {
  const path = join(dir, 'weights.bin');
  await writeFile(path, await torchFile(weights));
  assert.is((await loadWeights(path)).format, 'megvii');
  for (const bytes of ['', 'hello, these are no weights', '\x08']) {
    await writeFile(path, bytes);
    const error = await loadWeights(path).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof UserError && error.message.startsWith(path), String(error));
  }
});

test('an opened network is complete, and takes another preprocessing when told', async () => {
  const path = join(dir, 'whole.pth');
  await writeFile(path, await torchFile(weights));
  const { architecture, preprocess } = await openNetwork(path, { size: [64, 32], legacy: true });
  assert.equal(architecture, PICO);
  assert.equal(preprocess, preprocessSchema.parse({ size: [64, 32], ...LEGACY_PREPROCESS }));
  const back = await openNetwork(path, { legacy: false });
  assert.equal(back.preprocess, preprocessSchema.parse({ size: [416, 416] }));
  const refused = async (state: Weights, options = {}) => {
    await writeFile(path, await torchFile(state));
    return openNetwork(path, options).then(
      () => 'it was opened',
      (error: Error) => error.message,
    );
  };
  assert.match(await refused(weights, { size: [100, 100] }), /size: expected input height and width/);
  const partial = new Map([...weights].filter(([name]) => !name.endsWith('obj_preds.1.bias')));
  assert.match(await refused(partial), /Missing or of another shape: head\.obj_preds\.1\.bias/);
});

test('metadata comes back, damaged metadata is refused', () => {
  assert.equal(parseCheckpointMetadata(checkpointMetadata(INFO), 'file'), INFO);
  assert.is(parseCheckpointMetadata({ format: 'pt' }, 'file'), undefined);
  const damaged = { ...checkpointMetadata(INFO), preprocess: '{"size":[100,100]}' };
  assert.throws(() => parseCheckpointMetadata(damaged, 'file'), /file: metadata\.preprocess\.size/);
  assert.throws(
    () => parseCheckpointMetadata({ ...damaged, preprocess: '{' }, 'file'),
    /metadata\.preprocess: expected JSON/,
  );
});

test('a folded convolution is convolution and batch norm in one', () => {
  const value = fc.double({ min: -3, max: 3, noNaN: true });
  const channel = fc.record({
    w: value,
    x: value,
    gamma: value,
    beta: value,
    mean: value,
    variance: fc.double({ min: 0, max: 9, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(channel, { minLength: 1, maxLength: 4 }), (channels) => {
      const vector = (key: keyof (typeof channels)[number]) => Float32Array.from(channels, (one) => one[key]);
      const n = channels.length;
      const parts = {
        'conv.weight': 'w',
        'bn.weight': 'gamma',
        'bn.bias': 'beta',
        'bn.running_mean': 'mean',
        'bn.running_var': 'variance',
      } as const;
      const set: Weights = new Map(
        Object.entries(parts).map(([part, key]) => [
          `a.${part}`,
          { shape: part === 'conv.weight' ? [n, 1, 1, 1] : [n], data: vector(key) },
        ]),
      );
      const { weight, bias } = foldBatchNorm(set, 'a');
      channels.forEach(({ w, x, gamma, beta, mean, variance }, i) => {
        const expected = ((w * x - mean) / Math.sqrt(variance + BATCH_NORM_EPSILON)) * gamma + beta;
        assert.ok(Math.abs(weight.data[i] * x + bias.data[i] - expected) < 1e-3);
      });
      const unfolded: Weights = new Map();
      setFolded(unfolded, 'a', { weight, bias });
      assert.equal(foldBatchNorm(unfolded, 'a'), { weight, bias });
      assert.is(isFolded(unfolded), true);
    }),
  );
});

test.run();

const LEGACY = shared('weights/yolox_nano_legacy_v010.pth');
const realTest = suiteNeeding('loading weights, real', [LEGACY]);

realTest('the nano of release 0.1.0 is recognised with its preprocessing', async () => {
  const { architecture, format, legacy, preprocess, folded, report } = await openNetwork(LEGACY);
  assert.equal(architecture, { depth: 0.33, width: 0.25, depthwise: true, classes: 80 });
  assert.equal([format, legacy, folded], ['megvii', true, false]);
  assert.equal(preprocess, preprocessSchema.parse({ size: [416, 416], ...LEGACY_PREPROCESS }));
  assert.equal(report, { loaded: 538, missing: [], unexpected: [], mismatched: [], reinitialised: [] });
});

realTest.run();
