import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../src/base/errors.js';
import { readJson } from '../../src/base/files.js';
import { configSchema } from '../../src/config/schema.js';
import { Store } from '../../src/data/store.js';
import { writeDataset } from '../../src/data/tables.js';
import { readBundle } from '../../src/detect/bundle.js';
import type { CocoAnnotation, CocoDataset, CocoDetection, StoredImage } from '../../src/detect/coco.js';
import { OnnxDetector } from '../../src/detect/onnx_detector.js';
import { decodeImage } from '../../src/image/decode.js';
import { type ModelEvalOutputs, modelEval, showEvaluation } from '../../src/pipeline/model_eval.js';
import type { StepContext } from '../../src/pipeline/runner/step.js';
import { makeBundle, randomJpeg } from '../serve/make_bundle.js';

const root = mkdtempSync(join(tmpdir(), 'model-eval-'));
const store = new Store(join(root, 'store'));
let bundle = '';
process.on('exit', () => {
  for (const dir of [root, bundle]) rmSync(dir, { recursive: true, force: true });
});

const categories = ['circle', 'square', 'star'].map((name, i) => ({ id: i + 1, name }));

function contextOf(name: string, evaluate: object = {}): StepContext {
  const dir = join(root, name);
  mkdirSync(dir);
  return { config: configSchema.parse({ eval: evaluate }), dir, store };
}

/** Images, and as truth what the bundle itself finds in them, so that it must be right. */
async function makeDataset(
  name: string,
  change: (dataset: CocoDataset<StoredImage>) => CocoDataset<StoredImage> = (dataset) => dataset,
): Promise<string> {
  const dir = join(root, name);
  const images: StoredImage[] = [];
  const annotations: CocoAnnotation[] = [];
  const detector = await OnnxDetector.open(await readBundle(bundle));
  for (let id = 1; id <= 4; id++) {
    const jpeg = await randomJpeg(id);
    const { width, height, data } = await decodeImage(jpeg);
    images.push({ id, file_name: `folder/${id}.jpg`, width, height, sha256: await store.putObject(jpeg) });
    for (const { box, classIndex } of await detector.detect(
      { width, height, data },
      { iou: 0.65, maxDetections: 100 },
    )) {
      const [x, y, w, h] = [box[0], box[1], box[2] - box[0], box[3] - box[1]];
      const entry = { image_id: id, category_id: classIndex + 1, bbox: [x, y, w, h] as CocoAnnotation['bbox'] };
      annotations.push({ ...entry, id: annotations.length + 1, area: w * h, iscrowd: 0 });
    }
  }
  await detector.close();
  await writeDataset(dir, change({ images, annotations, categories }));
  return dir;
}

const test = suite('model_eval');

test.before(async () => {
  bundle = await makeBundle();
});

test('a bundle that is right gets full marks and a report', async () => {
  const dataset = await makeDataset('right');
  const context = contextOf('out-right', { minMap50: 0.9, images: 3 });
  const before = { label: 'imported', stats: new Array(12).fill(0.25) };
  const outputs = await modelEval({ bundle, dataset, before }, context);
  assert.ok(Math.abs(Number(outputs.map) - 1) < 1e-9, `AP is ${outputs.map}`);
  assert.equal(outputs.gate, { minMap50: 0.9, passed: true });
  assert.is(outputs.images, 4);
  assert.equal(outputs.before, { label: 'imported', map: 0.25, map50: 0.25 });

  const html = await readFile(outputs.report, 'utf8');
  for (const words of ['Confusion matrix', 'imported', 'circle', 'Gate AP50 ≥ 0.9: passed']) assert.match(html, words);
  const names = await readdir(outputs.annotated);
  assert.ok(names.length > 0 && names.length <= 3);
  for (const name of names) assert.is((await decodeImage(join(outputs.annotated, name))).width, 150);
  const metrics = await readJson<{ map: number; best_f1: { f1: number } }>(outputs.metrics);
  assert.is(metrics.map, outputs.map);
  assert.ok(metrics.best_f1.f1 > 0);
  const detections = await readJson<CocoDetection[]>(outputs.detections);
  assert.ok(detections.length > 0 && detections.every(({ bbox }) => bbox.every((side) => side >= 0)));
});

test('images of one long name in several folders become as many files', async () => {
  const long = `${'é'.repeat(125)}.jpeg`;
  const dataset = await makeDataset('long', (full) => ({
    ...full,
    images: full.images.map((image) => ({ ...image, file_name: `${image.id}/${long}` })),
  }));
  const { annotated } = await modelEval({ bundle, dataset }, contextOf('out-long', { images: 12 }));
  const names = await readdir(annotated);
  assert.is(new Set(names).size, 4);
  assert.ok(names.every((name) => Buffer.byteLength(name) <= 255 && name.endsWith('.jpg')));
});

test('running again replaces the images', async () => {
  const dataset = await makeDataset('again');
  const context = contextOf('out-again', { images: 3 });
  const first = await modelEval({ bundle, dataset }, context);
  await modelEval({ bundle, dataset }, { ...context, config: configSchema.parse({ eval: { images: 0 } }) });
  assert.equal(await readdir(first.annotated), []);
});

test('another gate or number of images is shown as a new evaluation would, without one', async () => {
  const dataset = await makeDataset('shown');
  const before = { label: 'imported', stats: new Array(12).fill(0.25) };
  const [shown, anew] = [contextOf('out-shown', { images: 0 }), contextOf('out-anew', { images: 2, minMap50: 1 })];
  const first = await modelEval({ bundle, dataset, before }, shown);
  const again = await showEvaluation(first, { bundle, dataset }, { ...shown, config: anew.config });
  const expected = await modelEval({ bundle, dataset, before }, anew);
  assert.equal(await readdir(again.annotated), await readdir(expected.annotated));
  const figures = ({ images_per_second, report, metrics, detections, annotated, ...rest }: ModelEvalOutputs) => rest;
  assert.equal(figures(again), figures(expected));
  assert.is(again.images_per_second, first.images_per_second);
  assert.match(await readFile(again.report, 'utf8'), 'Gate AP50 ≥ 1');
  const metricsOf = async (path: string) => ({ ...(await readJson<object>(path)), images_per_second: 0 });
  assert.equal(await metricsOf(again.metrics), await metricsOf(expected.metrics));
});

test('no detections at all: figures of 0, gate missed, report written', async () => {
  const dataset = await makeDataset('none');
  const outputs = await modelEval({ bundle, dataset }, contextOf('out-none', { confidence: 1, minMap50: 0.1 }));
  assert.is(outputs.map, 0);
  assert.is(outputs.gate.passed, false);
  assert.match(await readFile(outputs.report, 'utf8'), 'missed');
  assert.equal(await readJson(outputs.detections), []);
});

test('no objects at all: figures absent, report written', async () => {
  const dataset = await makeDataset('empty', (full) => ({ ...full, annotations: [] }));
  const outputs = await modelEval({ bundle, dataset }, contextOf('out-empty'));
  assert.is(outputs.map, null);
  assert.equal(outputs.gate, { minMap50: null, passed: true });
  assert.match(await readFile(outputs.report, 'utf8'), 'No class has objects');
});

test('no objects at all: a gate is missed, in words', async () => {
  const dataset = await makeDataset('gated', (full) => ({ ...full, annotations: [] }));
  const outputs = await modelEval({ bundle, dataset }, contextOf('out-gated', { minMap50: 0 }));
  assert.is(outputs.gate.passed, false);
  assert.match(await readFile(outputs.report, 'utf8'), 'missed, as there is no object to find');
});

test('a split of other categories is refused', async () => {
  const dataset = await makeDataset('other', (full) => ({ ...full, categories: [{ id: 1, name: 'triangle' }] }));
  try {
    await modelEval({ bundle, dataset }, contextOf('out-other'));
    assert.unreachable();
  } catch (error) {
    assert.instance(error, UserError);
    assert.match((error as UserError).message, 'triangle');
  }
});

test.run();
