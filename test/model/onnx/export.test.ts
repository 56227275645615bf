import { InferenceSession, Tensor } from 'onnxruntime-node';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { preprocessSchema } from '../../../src/config/preprocess.js';
import { exportOnnx } from '../../../src/model/onnx/export.js';
import { decodeModel } from '../../../src/model/onnx/schema.js';
import { parseCheckpointMetadata } from '../../../src/model/weights/checkpoint.js';
import { initialWeights } from '../../../src/model/weights/init.js';

const PICO = { depth: 0.33, width: 0.125, depthwise: false, classes: 3 };
const preprocess = preprocessSchema.parse({ size: [64, 96] });

async function run(model: Uint8Array, images: Float32Array, dims: readonly number[]): Promise<Tensor> {
  const session = await InferenceSession.create(model, { logSeverityLevel: 3 });
  const { output } = await session.run({ images: new Tensor('float32', images, dims) });
  await session.release();
  return output as Tensor;
}

const test = suite('ONNX export');

test('takes any batch, and each image of one alone gives the same', async () => {
  const model = exportOnnx(initialWeights(PICO, 1), PICO, preprocess);
  const images = Float32Array.from({ length: 3 * 3 * 64 * 96 }, (_, i) => (i * 7919) % 256);
  const batch = await run(model, images, [3, 3, 64, 96]);
  assert.equal([...batch.dims], [3, 126, 8]);
  const alone = await run(model, images.slice(-3 * 64 * 96), [1, 3, 64, 96]);
  const last = (batch.data as Float32Array).slice(-126 * 8);
  assert.ok(last.every((value, i) => Math.abs(value - (alone.data as Float32Array)[i]) < 1e-4));
});

test('says what it is in its metadata', () => {
  const categories = [
    { id: 1, name: 'cat' },
    { id: 5, name: 'dog' },
    { id: 9, name: 'hen' },
  ];
  const model = decodeModel(
    exportOnnx(initialWeights(PICO, 1), PICO, preprocess, { name: 'pets', categories }),
    'model',
  );
  const metadata = Object.fromEntries(model.metadataProps.map(({ key, value }) => [key, value]));
  assert.is(metadata.name, 'pets');
  assert.equal(parseCheckpointMetadata(metadata, 'model'), { architecture: PICO, preprocess, categories });
});

test.run();
