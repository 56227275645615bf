import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { configSchema } from '../../../src/config/schema.js';
import { readBundle } from '../../../src/detect/bundle.js';
import { OnnxDetector } from '../../../src/detect/onnx_detector.js';
import { decodeImage } from '../../../src/image/decode.js';
import { type DatasetEvaluation, evaluateOnDataset } from '../../../src/pipeline/evaluation/dataset_eval.js';
import { makeBundle, randomJpeg } from '../../serve/make_bundle.js';
import { refused } from '../../support/refused.js';

const root = mkdtempSync(join(tmpdir(), 'dataset-eval-'));
const images = join(root, 'images');
let bundle = '';
process.on('exit', () => {
  for (const dir of [root, bundle]) rmSync(dir, { recursive: true, force: true });
});

interface Truth {
  images: { id: number; file_name: string; width: number; height: number }[];
  annotations: object[];
  categories: { id: number; name: string }[];
}

/** What the bundle itself finds in four images, so that it must be right; a class is missing, one is added. */
const truth: Truth = {
  images: [],
  annotations: [],
  categories: ['square', 'circle', 'hexagon'].map((name, i) => ({ id: 7 + i, name })),
};

function write(name: string, change: (full: Truth) => Truth = (full) => full): string {
  const path = join(root, name);
  writeFileSync(path, JSON.stringify(change(truth)));
  return path;
}

function evaluate(
  annotations: string,
  rest: { out?: string; strict?: boolean; eval?: object } = {},
): Promise<DatasetEvaluation> {
  const config = configSchema.parse({ eval: { images: 3, ...rest.eval } });
  return evaluateOnDataset({ model: { bundle }, images, annotations, config, out: rest.out, strict: rest.strict });
}

const test = suite('evaluation on any dataset');

test.before(async () => {
  bundle = await makeBundle();
  mkdirSync(images);
  const detector = await OnnxDetector.open(await readBundle(bundle));
  const names = ['circle', 'square', 'star'];
  for (let id = 1; id <= 4; id++) {
    const jpeg = await randomJpeg(id);
    writeFileSync(join(images, `${id}.jpg`), jpeg);
    const image = await decodeImage(jpeg);
    truth.images.push({ id, file_name: `${id}.jpg`, width: image.width, height: image.height });
    for (const { box, classIndex } of await detector.detect(image, { iou: 0.65, maxDetections: 100 })) {
      const category = truth.categories.find(({ name }) => name === names[classIndex]);
      const bbox = [box[0], box[1], box[2] - box[0], box[3] - box[1]];
      const entry = { image_id: id, category_id: category?.id, bbox, area: bbox[2] * bbox[3], iscrowd: 0 };
      if (category) truth.annotations.push({ ...entry, id: truth.annotations.length + 1 });
    }
  }
  await detector.close();
});

test('a model that is right gets full marks, matched by name, and a report', async () => {
  const out = join(root, 'report');
  const evaluation = await evaluate(write('whole.json'), { out, eval: { minMap50: 0.9 } });
  assert.ok(Math.abs(Number(evaluation.map) - 1) < 1e-9, `AP is ${evaluation.map}`);
  assert.equal([evaluation.images, evaluation.listed_images, evaluation.left_out], [4, 4, {}]);
  assert.equal([evaluation.unknown_to_model, evaluation.unknown_to_dataset], [['hexagon'], ['star']]);
  assert.equal(evaluation.gate, { minMap50: 0.9, passed: true });
  assert.match(await readFile(evaluation.report as string, 'utf8'), 'Gate AP50 ≥ 0.9: passed');
  assert.equal((await readdir(out)).sort(), ['detections.json', 'images', 'metrics.json', 'report.html']);
  // Run again, it replaces its own files.
  await evaluate(write('whole.json'), { out });
});

test('images that are missing or damaged are counted and told; strict refuses', async () => {
  const file = write('part.json', (full) => ({
    ...full,
    images: [...full.images, ...[5, 6].map((id) => ({ ...full.images[0], id, file_name: `${id}.jpg` }))],
  }));
  writeFileSync(join(images, '6.jpg'), (await randomJpeg(6)).subarray(0, 900));
  const out = join(root, 'part');
  const { images: count, listed_images, left_out, map, report } = await evaluate(file, { out });
  assert.equal([count, listed_images], [4, 6]);
  assert.equal(left_out, { missingImage: 1, unreadableImage: 1 });
  assert.ok(Math.abs(Number(map) - 1) < 1e-9);
  assert.match(await readFile(report as string, 'utf8'), 'Only 4 of the 6 images listed were evaluated');
  assert.match(await refused(evaluate(file, { strict: true })), '1 missingImage');
});

test('a gate is missed where AP is too low, or absent', async () => {
  const none = write('none.json', (full) => ({ ...full, annotations: [] }));
  assert.equal((await evaluate(none, { eval: { minMap50: 0.1 } })).gate, { minMap50: 0.1, passed: false });
  assert.is((await evaluate(none)).map, null);
  assert.is((await evaluate(write('whole.json'), { eval: { confidence: 1, minMap50: 0.1 } })).gate.passed, false);
});

test('of two categories of one name, the one that has objects counts', async () => {
  const twice = write('twice.json', (full) => ({
    ...full,
    categories: [{ id: 1, name: 'circle' }, ...full.categories],
  }));
  const { per_category } = await evaluate(twice);
  assert.ok(Number(per_category[8].ap) > 0.9);
});

test('no shared name, and a folder of outputs that holds something else, are refused', async () => {
  const other = write('other.json', (full) => ({
    ...full,
    categories: full.categories.map(({ id }) => ({ id, name: `n${id}` })),
  }));
  assert.match(await refused(evaluate(other)), "the model's classes");
  assert.match(await refused(evaluate(write('whole.json'), { out: images })), 'another path than that of an input');
  assert.match(await refused(evaluate(write('whole.json'), { out: root })), 'would be replaced');
  const full = join(root, 'full');
  mkdirSync(full);
  writeFileSync(join(full, 'notes.txt'), '');
  assert.match(await refused(evaluate(write('whole.json'), { out: full })), 'notes.txt');
});

test.run();
