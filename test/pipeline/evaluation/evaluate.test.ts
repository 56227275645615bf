import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import { preprocessSchema } from '../../../src/config/preprocess.js';
import { COCO_CLASSES } from '../../../src/detect/categories.js';
import type { CocoDataset } from '../../../src/detect/coco.js';
import type { Detection } from '../../../src/detect/nms.js';
import { OnnxDetector } from '../../../src/detect/onnx_detector.js';
import { evaluateDetector } from '../../../src/pipeline/evaluation/evaluate.js';
import { randomJpeg } from '../../serve/make_bundle.js';
import { shared, suiteNeeding } from '../../support/shared.js';

const root = mkdtempSync(join(tmpdir(), 'evaluate-'));
process.on('exit', () => rmSync(root, { recursive: true, force: true }));

const WIDTHS = [40, 50, 60, 70, 80, 90, 100, 110];

const dataset: CocoDataset = {
  images: WIDTHS.map((width, i) => ({ id: 10 - i, file_name: `${width}.jpg`, width, height: 30 })),
  categories: [{ id: 7, name: 'all' }],
  annotations: WIDTHS.map((width, i) => ({
    id: i,
    image_id: 10 - i,
    category_id: 7,
    bbox: [0, 0, width, 30],
    area: width * 30,
    iscrowd: 0,
  })),
};

/** Says that the whole image is one object. */
const whole = async ({ width, height }: { width: number; height: number }): Promise<Detection[]> => [
  { box: [0, 0, width, height], classIndex: 0, score: 0.9 },
];

const pathOf = ({ file_name }: { file_name: string }) => join(root, file_name);

/** Of an input that no image here is reduced for. */
const fit: [number, number] = [416, 416];

const test = suite('evaluation of a detector');

test.before(async () => {
  for (const width of WIDTHS) writeFileSync(join(root, `${width}.jpg`), await randomJpeg(width, width, 30));
});

test('detections come back as COCO results, in the order of the images', async () => {
  const { detections, evaluation, imagesPerSecond } = await evaluateDetector(whole, dataset, pathOf, { fit });
  assert.equal(
    detections,
    WIDTHS.map((width, i) => ({ image_id: 10 - i, category_id: 7, bbox: [0, 0, width, 30], score: 0.9 })),
  );
  assert.ok(Math.abs(Number(evaluation.stats[0]) - 1) < 1e-9);
  assert.ok(imagesPerSecond > 0);
});

test('only a few images are read ahead', async () => {
  let [opened, done, most] = [0, 0, 0];
  const slow = async (image: { width: number; height: number }) => {
    await setTimeout(5);
    most = Math.max(most, opened - done);
    done++;
    return whole(image);
  };
  const counting = (image: { file_name: string }) => {
    opened++;
    return pathOf(image);
  };
  await evaluateDetector(slow, dataset, counting, { fit });
  assert.is(done, WIDTHS.length);
  assert.ok(most > 1 && most < WIDTHS.length, `${most} at once`);
});

test('an image that cannot be decoded stops the evaluation with its name', async () => {
  writeFileSync(join(root, 'broken.jpg'), 'no image');
  const broken = (image: { id: number; file_name: string }) =>
    image.id === 6 ? join(root, 'broken.jpg') : pathOf(image);
  try {
    await evaluateDetector(whole, dataset, broken, { fit });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, UserError);
    assert.match((error as UserError).message, 'broken.jpg');
  }
});

test('a class without a category is an error', async () => {
  const wrong = async () => [{ box: [0, 0, 9, 9], classIndex: 1, score: 0.9 } satisfies Detection];
  try {
    await evaluateDetector(wrong, dataset, pathOf, { fit });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, UserError);
  }
});

test('no images, no detections, no figures', async () => {
  const { detections, evaluation } = await evaluateDetector(
    whole,
    { ...dataset, images: [], annotations: [] },
    pathOf,
    { fit },
  );
  assert.equal(detections, []);
  assert.is(evaluation.stats[0], null);
});

test.run();

const WEIGHTS = shared('weights/yolox_nano.onnx');
const INSTANCES = shared('coco/instances.json');

const real = suiteNeeding('evaluation on COCO images', [WEIGHTS, INSTANCES]);

real('a COCO-trained network finds what is there', async () => {
  const all = JSON.parse(await readFile(INSTANCES, 'utf8')) as CocoDataset;
  const images = all.images.slice(0, 16);
  const kept = new Set(images.map(({ id }) => id));
  const some = { ...all, images, annotations: all.annotations.filter(({ image_id }) => kept.has(image_id)) };
  const detector = await OnnxDetector.fromFile(WEIGHTS, {
    preprocess: preprocessSchema.parse({ size: [416, 416] }),
    thresholds: { confidence: 0.01, iou: 0.65, maxDetections: 100, agnostic: false },
    categories: COCO_CLASSES,
    decoded: false,
  });
  const options = { fit, categories: COCO_CLASSES };
  const { evaluation } = await evaluateDetector(
    (image) => detector.detect(image),
    some,
    ({ file_name }) => shared('coco/images', file_name),
    options,
  );
  await detector.close();
  assert.ok(Number(evaluation.stats[1]) > 0.4, `AP50 is ${evaluation.stats[1]}`);
});

real.run();
