import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../src/base/errors.js';
import type { Architecture } from '../../src/config/network.js';
import { preprocessSchema } from '../../src/config/preprocess.js';
import { decodeImage } from '../../src/image/decode.js';
import { tf } from '../../src/kernels/tf.js';
import { TfDetector } from '../../src/model/tf_detector.js';
import { initialWeights } from '../../src/model/weights/init.js';
import type { Weights } from '../../src/model/weights/weights.js';
import { randomJpeg } from '../serve/make_bundle.js';

const test = suite('TensorFlow detector');
const CLASSES = 3;
const architecture: Architecture = { depth: 0.33, width: 0.125, depthwise: false, classes: CLASSES };
const ALL = { confidence: 0, iou: 1, maxDetections: 1000 };

const detectorOf = (weights: Weights) =>
  new TfDetector({
    weights,
    architecture,
    preprocess: preprocessSchema.parse({ size: [64, 64] }),
    categories: ['a', 'b', 'c'].map((name, i) => ({ id: i + 1, name })),
    name: 'made',
  });

/** Weights under which each cell of a level prefers another class by its content. */
function variedWeights(): Weights {
  const weights = initialWeights(architecture, 3);
  for (const [name, { data }] of weights) {
    if (/cls_preds.*weight/.test(name)) data.set(data.map((value) => value * 50));
  }
  return weights;
}

test('classes keep what the other path finds of them', async () => {
  const detector = detectorOf(variedWeights());
  const image = await decodeImage(await randomJpeg(1));
  const all = await detector.detect(image, ALL);
  const found = new Set(all.map(({ classIndex }) => classIndex));
  assert.ok(found.size > 1, `classes ${[...found]}`);
  for (const wanted of found) {
    const some = await detector.detect(image, { ...ALL, classes: [wanted] });
    assert.is(some.length, all.filter(({ classIndex }) => classIndex === wanted).length);
    assert.ok(some.every(({ classIndex }) => classIndex === wanted));
  }
  assert.equal(await detector.detect(image, { ...ALL, classes: [] }), []);
  await detector.close();
});

test('weights that are not finite are an error, with classes as without, and leave no tensors', async () => {
  const weights = initialWeights(architecture, 3);
  for (const [, { data }] of weights) data[0] = Number.NaN;
  const detector = detectorOf(weights);
  const image = await decodeImage(await randomJpeg(1));
  const { numTensors } = tf.memory();
  for (const thresholds of [ALL, { ...ALL, classes: [0, 1, 2] }]) {
    const error = await detector.detect(image, thresholds).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.instance(error, UserError);
    assert.match((error as UserError).message, 'finite outputs');
  }
  assert.is(tf.memory().numTensors, numTensors);
  await detector.close();
});

test.run();
