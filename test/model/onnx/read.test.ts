import { InferenceSession, Tensor } from 'onnxruntime-node';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import { preprocessSchema } from '../../../src/config/preprocess.js';
import { decodePicture } from '../../../src/data/decode.js';
import { decodeBoxes } from '../../../src/data/detections.js';
import { letterbox } from '../../../src/data/letterbox.js';
import { exportOnnx } from '../../../src/model/onnx/export.js';
import { parseOnnxWeights } from '../../../src/model/onnx/read.js';
import { decodeModel, encodeModel, type OnnxModel } from '../../../src/model/onnx/schema.js';
import { inferArchitecture } from '../../../src/model/weights/architecture.js';
import { foldBatchNorm } from '../../../src/model/weights/fold.js';
import { initialWeights } from '../../../src/model/weights/init.js';
import { toMmdet } from '../../../src/model/weights/key_map.js';
import { loadWeights } from '../../../src/model/weights/load.js';
import type { Weights } from '../../../src/model/weights/weights.js';
import { shared, suiteNeeding } from '../../helpers.js';

const PICO = { depth: 0.33, width: 0.125, depthwise: false, classes: 3 };
const preprocess = preprocessSchema.parse({ size: [64, 96] });

const test = suite('ONNX weights');

/** Exports weights, applies `change` to the model, and reads the weights back. */
function reread(weights: Weights, architecture = PICO, change?: (model: OnnxModel) => void) {
  const model = decodeModel(exportOnnx(weights, architecture, preprocess), 'model');
  change?.(model);
  return parseOnnxWeights(encodeModel(model), 'model');
}

/** Weights with statistics and affine terms as after training. */
function trained(architecture = PICO): Weights {
  return new Map(
    [...initialWeights(architecture, 5)].map(([name, { shape, data }]) => [
      name,
      { shape, data: name.includes('.bn.') ? data.map((value, i) => value + 0.5 + ((i * 37) % 11) / 20) : data },
    ]),
  );
}

/** Gives constants other names. */
function rename(model: OnnxModel, to: (name: string, index: number) => string): void {
  const names = new Map(model.graph.initializer.map(({ name }, i) => [name, to(name, i)]));
  for (const tensor of model.graph.initializer) tensor.name = names.get(tensor.name) ?? tensor.name;
  for (const node of model.graph.node) node.input = node.input.map((name) => names.get(name) ?? name);
}

function assertSameFunction(read: Weights, weights: Weights): void {
  for (const [name, { shape, data }] of weights) {
    assert.equal(read.get(name)?.shape, shape, name);
    if (name.endsWith('_preds.0.bias')) assert.equal(read.get(name)?.data, data, name);
    if (!name.endsWith('.bn.weight')) continue;
    const layer = name.slice(0, -'.bn.weight'.length);
    assert.equal(foldBatchNorm(read, layer), foldBatchNorm(weights, layer), layer);
  }
}

const NAMINGS: [string, (name: string, index: number) => string][] = [
  ['their Megvii names', (name) => name],
  ['their mmdetection names', toMmdet],
  ['numbers', (_, index) => String(1000 + index)],
];

for (const [what, name] of NAMINGS) {
  for (const architecture of [PICO, { ...PICO, depth: 0.67 }, { ...PICO, depthwise: true }]) {
    test(`constants under ${what} are the exported function, depth ${architecture.depth}, depthwise ${architecture.depthwise}`, async () => {
      const weights = trained(architecture);
      const { weights: read, size } = reread(weights, architecture, (model) => rename(model, name));
      assert.equal(inferArchitecture(read), architecture);
      assert.equal(size, [64, 96]);
      assertSameFunction(read, weights);
    });
  }
}

test('values in typed fields and in Constant nodes are read', async () => {
  const weights = trained();
  const { weights: read } = reread(weights, PICO, ({ graph }) => {
    const [first, second] = graph.initializer.splice(0, 2);
    const values = (raw?: Uint8Array) => [...new Float32Array(Uint8Array.from(raw ?? []).buffer)];
    graph.initializer.push({ name: first.name, dims: first.dims, dataType: 1, floatData: values(first.rawData) });
    const attribute = [{ name: 'value', type: 4, t: { ...second, name: '' } }];
    graph.node.unshift({ opType: 'Constant', input: [], output: [second.name], attribute });
  });
  assertSameFunction(read, weights);
});

const REFUSED: [what: string, change: (model: OnnxModel) => void, message: RegExp][] = [
  [
    'batch norms',
    ({ graph }) => graph.node.push({ opType: 'BatchNormalization', input: [], output: [], attribute: [] }),
    /evaluation mode/,
  ],
  [
    'another number of layers',
    ({ graph }) => rename({ graph } as OnnxModel, (_, i) => `${i}`) ?? graph.node.splice(0, 1),
    /convolutions of a YOLOX/,
  ],
  [
    'values in another file',
    ({ graph }) => Object.assign(graph.initializer[0], { dataLocation: 1 }),
    /inside the file/,
  ],
  [
    'too few values',
    ({ graph }) => Object.assign(graph.initializer[0], { rawData: new Uint8Array(7) }),
    /864 values for shape \[8,3,6,6\], received "0"/,
  ],
  ['integer weights', ({ graph }) => Object.assign(graph.initializer[0], { dataType: 3 }), /data type 3/],
  ['computed weights', ({ graph }) => graph.initializer.splice(4, 1), /stored as constants/],
  [
    'layers in another order',
    ({ graph }) => {
      const isPrediction = (name: string) => name.startsWith('head.cls_preds.');
      rename({ graph } as OnnxModel, (name, i) =>
        isPrediction(name) ? name.replace('cls_preds.0', 'cls_preds.1') : `${i}`,
      );
    },
    /head\.cls_preds\.0\.weight: expected a convolution/,
  ],
];

for (const [what, change, message] of REFUSED) {
  test(`a model with ${what} is refused`, () => {
    assert.throws(
      () => reread(trained(), PICO, change),
      (error: unknown) => error instanceof UserError && message.test(error.message),
    );
  });
}

test.run();

const NANO = shared('weights/yolox_nano.onnx');
const DOG = shared('photos/dog.jpg');
const realTest = suiteNeeding('ONNX weights, real', [NANO, DOG]);

realTest('the published nano, imported and exported again, answers as before', async () => {
  const loaded = await loadWeights(NANO);
  assert.equal([loaded.format, loaded.folded, loaded.legacy], ['onnx', true, false]);
  const architecture = inferArchitecture(loaded.weights);
  const { data } = letterbox(await decodePicture(DOG), loaded.preprocess, 'nchw');
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
