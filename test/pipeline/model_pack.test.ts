import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../src/base/errors.js';
import { readJson, writeAtomic } from '../../src/base/files.js';
import { preprocessSchema } from '../../src/config/preprocess.js';
import { configSchema } from '../../src/config/schema.js';
import { Store } from '../../src/data/store.js';
import { writeDataset } from '../../src/data/tables.js';
import { readBundle } from '../../src/detect/bundle.js';
import { COCO_CLASSES } from '../../src/detect/categories.js';
import type { CocoCategory, StoredImage } from '../../src/detect/coco.js';
import { decodeImage } from '../../src/image/decode.js';
import { exportOnnx } from '../../src/model/onnx/export.js';
import { checkpointMetadata } from '../../src/model/weights/checkpoint.js';
import { initialWeights } from '../../src/model/weights/init.js';
import { writeSafetensors } from '../../src/model/weights/safetensors.js';
import { modelPack } from '../../src/pipeline/model_pack.js';
import { checkOnnx } from '../../src/pipeline/packing/check_onnx.js';
import type { Answer } from '../../src/serve/http/answer.js';
import { shared, suiteNeeding } from '../support/shared.js';

const PICO = { depth: 0.33, width: 0.125, depthwise: false, classes: 2 };
const CATEGORIES = [
  { id: 1, name: 'cat' },
  { id: 2, name: 'dog' },
];
const preprocess = preprocessSchema.parse({ size: [64, 64] });

let root: string;
const setUp = async () => {
  root = await mkdtemp(join(tmpdir(), 'model-pack-'));
};
const tearDown = () => rm(root, { recursive: true });

/** A context over a store that holds these images as its test split. */
async function contextWith(files: readonly Uint8Array[]) {
  const store = new Store(join(root, 'store'));
  const images = await Promise.all(
    files.map(async (bytes, i): Promise<StoredImage> => {
      const { width, height } = await sharp(bytes).metadata();
      return { id: i + 1, file_name: `${i + 1}.image`, width, height, sha256: await store.putObject(bytes) };
    }),
  );
  const testDataset = join(root, 'test');
  await writeDataset(testDataset, { images, annotations: [], categories: [] });
  const config = configSchema.parse({ pack: { name: 'pets', version: '3' } });
  return { testDataset, context: { config, dir: root, store } };
}

const png = (color: string) =>
  sharp({ create: { width: 80, height: 50, channels: 3, background: color } })
    .png()
    .toBuffer();

async function writeCheckpoint(): Promise<string> {
  const path = join(root, 'best.safetensors');
  const info = { architecture: PICO, preprocess, source: 'a test' };
  await writeSafetensors(path, initialWeights(PICO, 1), checkpointMetadata(info));
  return path;
}

const test = suite('model_pack');
test.before.each(setUp);
test.after.each(tearDown);

test('a network that finds nothing still makes a whole bundle', async () => {
  const { testDataset, context } = await contextWith([await png('#804020'), await png('#204080')]);
  const outputs = await modelPack(
    { checkpoint: await writeCheckpoint(), testDataset, categories: CATEGORIES },
    context,
  );
  assert.is(outputs.detections, 0);
  assert.is(outputs.test_image, '1.image');
  const bundle = await readBundle(outputs.bundle);
  assert.equal(bundle.model, { file: 'model.onnx', input: 'images', output: 'output', ...PICO });
  assert.equal(
    [bundle.name, bundle.version, bundle.preprocess, bundle.categories],
    ['pets', '3', preprocess, CATEGORIES],
  );
  assert.equal(bundle.weights, { license: 'Apache-2.0', source: 'a test' });
  assert.equal((await readdir(bundle.dir)).sort(), ['bundle.json', 'model.onnx', 'test_image.jpg', 'test_result.json']);
  assert.is((await sharp(join(bundle.dir, 'test_image.jpg')).metadata()).format, 'jpeg');
  assert.not.ok((await readdir(root)).includes('bundle.tmp'));
});

test('packing again gives the same files', async () => {
  const { testDataset, context } = await contextWith([await png('#804020')]);
  const inputs = { checkpoint: await writeCheckpoint(), testDataset, categories: CATEGORIES };
  const pack = async () => (await readBundle((await modelPack(inputs, context)).bundle)).files;
  assert.equal(await pack(), await pack());
});

async function assertRefused(images: Uint8Array[], categories: CocoCategory[], message: RegExp): Promise<void> {
  const { testDataset, context } = await contextWith(images);
  const packing = modelPack({ checkpoint: await writeCheckpoint(), testDataset, categories }, context);
  const error = await packing.catch((thrown: unknown) => thrown);
  assert.ok(error instanceof UserError && message.test(error.message), String(error));
  assert.not.ok((await readdir(root)).includes('bundle'));
}

test('an empty split is refused', () => assertRefused([], CATEGORIES, /expected an image in the test split/));

test('a checkpoint of other classes is refused', async () =>
  assertRefused([await png('#804020')], CATEGORIES.slice(1), /expected a network of 1 classes, received 2/));

test('an export that computes something else is an error', async () => {
  const path = join(root, 'model.onnx');
  await writeAtomic(path, exportOnnx(initialWeights(PICO, 1), PICO, preprocess));
  const images = [await decodeImage(await png('#804020'))];
  const check = (seed: number) =>
    checkOnnx(
      path,
      { weights: initialWeights(PICO, seed), architecture: PICO },
      { images, preprocess, confidence: 0.25 },
    );
  assert.ok((await check(1)).excess <= 1);
  const error = await check(2).catch((thrown: unknown) => thrown);
  assert.ok(error instanceof UserError && /within 0\.001 pixels/.test(error.message));
});

test.run();

const LEGACY = shared('weights/yolox_nano_legacy_v010.pth');
const PHOTOS = ['000000039769.png', 'dog.jpg'].map((name) => shared('photos', name));
const realTest = suiteNeeding('model_pack, real', [LEGACY, ...PHOTOS]);
realTest.before.each(setUp);
realTest.after.each(tearDown);

realTest('the test image is the image with the most sure detections, its answer what the weights find', async () => {
  const { testDataset, context } = await contextWith(
    await Promise.all([PHOTOS[0], ...PHOTOS].map((path) => readFile(path))),
  );
  const categories = [...COCO_CLASSES];
  const outputs = await modelPack({ checkpoint: LEGACY, testDataset, categories }, context);
  assert.ok(outputs.box_difference <= 1e-3 && outputs.score_difference <= 1e-4);
  const { annotations } = await readJson<Answer>(join(outputs.bundle, 'test_result.json'));
  assert.is(annotations.length, outputs.detections);
  assert.is(outputs.test_image, '3.image');
  const sure = annotations.filter(({ score }) => score > 0.5);
  const names = sure.map(({ category_id }) => categories.find(({ id }) => id === category_id)?.name);
  assert.equal(names, ['dog', 'bicycle', 'car']);
});

realTest.run();
