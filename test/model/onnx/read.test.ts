import { InferenceSession, Tensor } from 'onnxruntime-node';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeBoxes } from '../../../src/detect/nms.js';
import { decodeImage } from '../../../src/image/decode.js';
import { letterbox } from '../../../src/image/letterbox.js';
import { exportOnnx } from '../../../src/model/onnx/export.js';
import { readOnnxNetwork } from '../../../src/model/onnx/read.js';
import type { OnnxModel } from '../../../src/model/onnx/schema.js';
import { inferArchitecture } from '../../../src/model/weights/architecture.js';
import { foldBatchNorm } from '../../../src/model/weights/fold.js';
import { toMmdet } from '../../../src/model/weights/key_map.js';
import { loadWeights } from '../../../src/model/weights/load.js';
import type { Weights } from '../../../src/model/weights/weights.js';
import { shared, suiteNeeding } from '../../support/shared.js';
import {
  addBatchNorm,
  DARK2,
  float,
  insertBefore,
  integer,
  layersOf,
  MEGVII,
  nodeOf,
  replaceSilu,
  SPP,
  slices,
  text,
  unmerge,
} from './edit_graph.js';
import { changed, PICO, pico, rename } from './pico.js';

const test = suite('ONNX weights');

/** Reads the weights of a changed model. */
const read = (change: (model: OnnxModel) => void, architecture = PICO) =>
  readOnnxNetwork(changed(change, architecture), 'model');

/** Whether both compute the same, to a share of each layer's largest value. */
function assertSameFunction(read: Weights, weights: Weights, tolerance = 0): void {
  const close = (a: Float32Array, b: Float32Array, name: string) => {
    const most = b.reduce((x, y) => Math.max(x, Math.abs(y)), 0);
    const worst = b.reduce((x, value, i) => Math.max(x, Math.abs(value - a[i])), 0);
    assert.ok(a.length === b.length && worst <= tolerance * most, `${name}: ${worst} of ${most}`);
  };
  for (const [name, { shape, data }] of weights) {
    assert.equal(read.get(name)?.shape, shape, name);
    if (name.includes('_preds.')) close(read.get(name)?.data ?? new Float32Array(), data, name);
    if (!name.endsWith('.bn.weight')) continue;
    const layer = name.slice(0, -'.bn.weight'.length);
    const [a, b] = [foldBatchNorm(read, layer), foldBatchNorm(weights, layer)];
    close(a.weight.data, b.weight.data, layer);
    close(a.bias.data, b.bias.data, layer);
  }
}

const NAMINGS: [string, (name: string, index: number) => string][] = [
  ['their Megvii names', (name) => name],
  ['their mmdetection names', toMmdet],
  ['numbers', (_, index) => String(1000 + index)],
];

for (const [what, name] of NAMINGS) {
  for (const architecture of [
    PICO,
    { ...PICO, depth: 0.67 },
    { ...PICO, depth: 0.1, classes: 1 },
    { ...PICO, depthwise: true, classes: 4 },
  ]) {
    test(`constants under ${what} are the exported function: ${JSON.stringify(architecture)}`, () => {
      const weights = pico(architecture).weights;
      const network = read((model) => rename(model, name), architecture);
      assert.equal([network.architecture, network.size], [architecture, [64, 96]]);
      assertSameFunction(network.weights, weights);
    });
  }
}

const addBatchNorms = (model: OnnxModel, epsilon: number): void => {
  for (const layer of layersOf(model)) addBatchNorm(model, layer, epsilon);
};

const ACCEPTED: [what: string, change: (model: OnnxModel) => void, tolerance?: number][] = [
  [
    'Identity, Cast and Dropout on the way',
    (model) => {
      insertBefore(model, `${DARK2}.conv`, 0, 'Identity');
      insertBefore(model, `${DARK2}.sigmoid`, 0, 'Dropout');
      insertBefore(model, `${DARK2}.conv`, 0, 'Cast', { attribute: [integer('to', 10)] });
      insertBefore(model, `${DARK2}.conv`, 1, 'Identity');
      insertBefore(model, `${SPP}.conv2.conv`, 0, 'Identity');
    },
  ],
  [
    'factors and terms the other way round',
    ({ graph }) => {
      for (const { opType, input } of graph.node) if (opType === 'Mul' || opType === 'Add') input.reverse();
    },
  ],
  ['SiLU as Swish', (model) => replaceSilu(model, 'Swish')],
  [
    'SiLU as QuickGelu of α 1',
    (model) => replaceSilu(model, 'QuickGelu', { domain: 'com.microsoft', attribute: [float('alpha', 1)] }),
  ],
  ['the focus in slices', (model) => unmerge(model, [0, 1, 2, 3], () => slices(model, MEGVII, false))],
  [
    'the focus in slices of both axes, to the known end',
    (model) => unmerge(model, [0, 1, 2, 3], () => slices(model, MEGVII, true, 96)),
  ],
  [
    'the patches of the focus in another order',
    (model) =>
      unmerge(model, [3, 0, 2, 1], () =>
        slices(
          model,
          [3, 0, 2, 1].map((i) => MEGVII[i]),
          true,
        ),
      ),
  ],
  [
    'the focus as SpaceToDepth',
    (model) =>
      unmerge(model, [0, 2, 1, 3], ({ graph }) => {
        const attribute = [integer('blocksize', 2)];
        graph.node.unshift({ name: 'focus', opType: 'SpaceToDepth', input: ['images'], output: ['focus'], attribute });
      }),
  ],
  [
    'small poolings one after the other',
    (model) => {
      const [five, nine, thirteen] = model.graph.node.filter(({ opType }) => opType === 'MaxPool');
      for (const [node, before] of [
        [nine, five],
        [thirteen, nine],
      ]) {
        Object.assign(node, { input: before.output, attribute: five.attribute });
      }
    },
  ],
  [
    'upsampling by half pixels',
    ({ graph }) => {
      for (const node of graph.node.filter(({ opType }) => opType === 'Resize')) {
        node.attribute = [text('mode', 'nearest'), text('nearest_mode', 'round_prefer_floor')];
      }
    },
  ],
  [
    'upsampling of old versions',
    ({ graph }) => {
      for (const node of graph.node.filter(({ opType }) => opType === 'Resize')) {
        Object.assign(node, { opType: 'Upsample', input: [node.input[0], node.input[2]], attribute: [] });
      }
    },
  ],
  [
    'padding as SAME_UPPER',
    (model) => {
      for (const node of model.graph.node.filter(({ opType }) => opType === 'Conv')) {
        const stride = node.attribute.find(({ name }) => name === 'strides')?.ints?.[0];
        if (stride !== 1) continue;
        node.attribute = node.attribute.filter(({ name }) => name !== 'pads');
        node.attribute.push(text('auto_pad', 'SAME_UPPER'));
      }
    },
  ],
  ['batch norms', (model) => addBatchNorms(model, 1e-3), 1e-5],
  ['one batch norm of the usual ε', (model) => addBatchNorm(model, DARK2, 1e-5), 1e-5],
];

for (const [what, change, tolerance] of ACCEPTED) {
  test(`a model with ${what} is the exported function`, () => {
    const weights = pico().weights;
    assertSameFunction(read(change).weights, weights, tolerance);
  });
}

test('batch norms come with their statistics, or all of them folded', () => {
  const isWhole = (change: (model: OnnxModel) => void) =>
    read(change).weights.get(`${DARK2}.bn.running_var`)?.data[0] === 4;
  assert.ok(isWhole((model) => addBatchNorms(model, 1e-3)));
  assert.not.ok(isWhole((model) => addBatchNorm(model, DARK2, 1e-3)));
  assert.not.ok(isWhole((model) => addBatchNorms(model, 1e-5)));
});

test('a convolution without bias adds none', () => {
  const { weights } = read((model) => {
    nodeOf(model, `${DARK2}.conv`).input.length = 2;
    nodeOf(model, 'head.obj_preds.1').input.length = 2;
  });
  assert.ok(foldBatchNorm(weights, DARK2).bias.data.every((value) => value === 0));
  assert.equal(weights.get('head.obj_preds.1.bias')?.data, Float32Array.of(0));
});

test.run();

const NANO = shared('weights/yolox_nano.onnx');
const DOG = shared('photos/dog.jpg');
const realTest = suiteNeeding('ONNX weights, real', [NANO, DOG]);

realTest('the published nano, imported and exported again, answers as before', async () => {
  const loaded = await loadWeights(NANO);
  assert.equal([loaded.format, loaded.folded, loaded.legacy], ['onnx', true, false]);
  assert.ok(loaded.check && loaded.check.difference < 1e-3 && loaded.check.magnitude > 5);
  const architecture = inferArchitecture(loaded.weights);
  const { data } = letterbox(await decodeImage(DOG), loaded.preprocess, 'nchw');
  const images = new Tensor('float32', data, [1, 3, ...loaded.preprocess.size]);
  const [before, after] = await Promise.all(
    [NANO, exportOnnx(loaded.weights, architecture, loaded.preprocess)].map(async (model) => {
      const session = await InferenceSession.create(model as string, { logSeverityLevel: 3 });
      return (await session.run({ images })).output.data as Float32Array;
    }),
  );
  decodeBoxes(before, loaded.preprocess.size, 80);
  // Boxes that float32 cannot hold to a thousandth of a pixel agree to a thousandth of their size.
  const differs = before.findIndex((value, i) => !(Math.abs(value - after[i]) <= 1e-3 * Math.max(1, value)));
  assert.is(differs, -1, `value ${differs}: ${before[differs]} and ${after[differs]}`);
});

realTest.run();
