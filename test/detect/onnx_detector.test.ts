import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../src/base/errors.js';
import { readJson } from '../../src/base/files.js';
import { preprocessSchema } from '../../src/config/preprocess.js';
import { iou } from '../../src/detect/box.js';
import { readBundle } from '../../src/detect/bundle.js';
import { COCO_CLASSES } from '../../src/detect/categories.js';
import { OnnxDetector } from '../../src/detect/onnx_detector.js';
import { decodeImage } from '../../src/image/decode.js';
import type { Answer } from '../../src/serve/http/answer.js';
import { makeBundle, randomJpeg } from '../serve/make_bundle.js';
import { shared, suiteNeeding } from '../support/shared.js';

const test = suite('detector');
let dir: string;
let detector: OnnxDetector;

test.before(async () => {
  dir = await makeBundle();
  detector = await OnnxDetector.open(await readBundle(dir));
});
test.after(async () => {
  await detector.close();
  await rm(dir, { recursive: true });
});

test('answers at once and in any mixture what it answers one by one', async () => {
  const images = await Promise.all(
    [1, 2, 3, 4].map(async (seed) => decodeImage(await randomJpeg(seed, 100 + 40 * seed))),
  );
  const alone = [];
  for (const image of images) alone.push(await detector.detect(image));
  assert.ok(alone.every((found) => found.length > 0));
  assert.not.equal(alone[0], alone[1]);
  assert.equal(await Promise.all(images.map((image) => detector.detect(image))), alone);
});

test('boxes lie inside the image', async () => {
  const image = await decodeImage(await randomJpeg(5, 33, 210));
  for (const {
    box: [x1, y1, x2, y2],
  } of await detector.detect(image)) {
    assert.ok(0 <= x1 && x1 < x2 && x2 <= 33 && 0 <= y1 && y1 < y2 && y2 <= 210);
  }
});

test('thresholds of a call override the bundle’s', async () => {
  const image = await decodeImage(await randomJpeg(1));
  const { annotations } = await readJson<Answer>(join(dir, 'test_result.json'));
  assert.is((await detector.detect(image)).length, annotations.length);
  assert.is((await detector.detect(image, { maxDetections: 2 })).length, 2);
  assert.equal(await detector.detect(image, { confidence: 1 }), []);
});

const options = { preprocess: preprocessSchema.parse({ size: [64, 64] }), decoded: true };
const thresholds = { confidence: 0.5, iou: 0.65, maxDetections: 100, agnostic: false };

test('objects of a reduced image are in pixels of the image in full', async () => {
  const { original, ...reduced } = await decodeImage(await randomJpeg(3, 900, 540), { fit: [64, 96] });
  assert.equal([original, reduced.width, reduced.height], [{ width: 900, height: 540 }, 96, 57]);
  const inReduced = await detector.detect(reduced, { maxDetections: 5 });
  const inFull = await detector.detect({ ...reduced, original }, { maxDetections: 5 });
  assert.ok(inFull.length > 0);
  assert.equal(
    inFull.map(({ box, ...rest }) => ({
      ...rest,
      box: box.map((value) => Math.min((value * 96) / 900, 57).toFixed(2)),
    })),
    inReduced.map(({ box, ...rest }) => ({ ...rest, box: box.map((value) => Math.min(value, 57).toFixed(2)) })),
  );
});

test('a file that is no ONNX model, or of another input size, is a UserError', async () => {
  const path = join(dir, 'not.onnx');
  await writeFile(path, 'not a model');
  for (const file of [path, join(dir, 'model.onnx'), join(dir, 'absent.onnx')]) {
    try {
      await OnnxDetector.fromFile(file, { ...options, thresholds, categories: [] });
      assert.unreachable();
    } catch (error) {
      assert.instance(error, UserError);
      assert.match((error as UserError).message, file);
    }
  }
});

test.run();

const [weights, photo] = [shared('weights', 'yolox_nano.onnx'), shared('photos', 'dog.jpg')];
const real = suiteNeeding('detector with Megvii’s export', [weights, photo]);

const openNano = () =>
  OnnxDetector.fromFile(weights, {
    preprocess: preprocessSchema.parse({ size: [416, 416] }),
    thresholds,
    categories: COCO_CLASSES,
    decoded: false,
  });

real('finds the dog, the bicycle and the car', async () => {
  const nano = await openNano();
  const found = await nano.detect(await decodeImage(photo));
  await nano.close();
  const scores = found.map(({ classIndex, score }) => [classIndex, score.toFixed(2)]);
  // Indices of COCO's dog, bicycle and car among its 80 classes.
  assert.equal(
    scores.slice(0, 3).sort(),
    [
      [16, '0.86'],
      [1, '0.80'],
      [2, '0.80'],
    ].sort(),
  );
});

real('finds in an image decoded for the network what it finds in the whole one', async () => {
  const nano = await openNano();
  const large = await sharp(photo).resize(2304, 1728).jpeg({ quality: 92 }).toBuffer();
  const whole = await nano.detect(await decodeImage(large));
  const reduced = await nano.detect(await decodeImage(large, { fit: nano.size }), { confidence: 0.3 });
  await nano.close();
  assert.ok(whole.length >= 3);
  for (const { box, classIndex, score } of whole) {
    const same = reduced.filter((one) => one.classIndex === classIndex && iou(one.box, box) > 0.9);
    assert.ok(
      same.some((one) => Math.abs(one.score - score) < 0.1),
      `class ${classIndex} at ${box}`,
    );
  }
});
real.run();
