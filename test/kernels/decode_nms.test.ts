import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { anchorGrid } from '../../src/config/network.js';
import { decodeBoxes, postprocess } from '../../src/detect/nms.js';
import * as chosen from '../../src/kernels/decode_nms/index.js';
import * as reference from '../../src/kernels/decode_nms/reference.js';
import { type Tensor, tf } from '../../src/kernels/tf.js';

const [height, width, classes] = [64, 96, 3];
const anchors = anchorGrid(height, width);
const columns = 5 + classes;

/** Logits of which about half pass the thresholds, boxes large enough to overlap. */
const logits = fc
  .record({ seed: fc.nat(1e6), n: fc.integer({ min: 1, max: 3 }) })
  .map(({ seed, n }) => tf.randomNormal([n, anchors.count, columns], 0, 1.5, 'float32', seed + 1));

const options = fc.record({
  confidence: fc.constantFrom(0.05, 0.3, 0.6),
  iou: fc.constantFrom(0.3, 0.5, 0.65),
  maxDetections: fc.constantFrom(1, 10, 1000),
  agnostic: fc.boolean(),
});

/** Anything goes by anchor here: at random logits, rounding would decide about a box in ten thousand. */
const SEED = 1;

const everything = { confidence: 0, iou: 0.5, maxDetections: 1000, agnostic: false };

function assertNear(ours: ArrayLike<number>, theirs: ArrayLike<number>, what: string): void {
  assert.is(ours.length, theirs.length, what);
  for (let i = 0; i < ours.length; i++) {
    const bound = 1e-5 * Math.max(1, Math.abs(theirs[i]));
    assert.ok(Math.abs(ours[i] - theirs[i]) <= bound, `${what} ${i}: ${ours[i]}, not ${theirs[i]}`);
  }
}

for (const [name, { decodeNms }] of Object.entries({ reference, chosen })) {
  const test = suite(`decode and NMS, ${name}`);

  test('the detections of the plain post-processing of serving, in the same order', () =>
    fc.assert(
      fc.property(logits, options, (raw, thresholds) => {
        const found = decodeNms(raw, anchors, thresholds);
        const activated = reference.activate(raw, anchors);
        const values = activated.dataSync() as Float32Array;
        tf.dispose([raw, activated]);
        assert.is(found.length, raw.shape[0]);
        for (const [n, { boxes, objectness, probability, classIndex }] of found.entries()) {
          const image = values.subarray(n * anchors.count * columns, (n + 1) * anchors.count * columns);
          const plain = postprocess(image, { anchors: anchors.count, classCount: classes }, thresholds);
          assert.equal(
            Array.from(classIndex),
            plain.map((detection) => detection.classIndex),
          );
          assertNear(
            objectness.map((value, i) => value * probability[i]),
            plain.map(({ score }) => score),
            'score',
          );
          assertNear(
            boxes,
            plain.flatMap(({ box }) => box),
            'box',
          );
        }
      }),
      { numRuns: 40, seed: SEED },
    ));

  test('only the best candidates enter the suppression', () =>
    fc.assert(
      fc.property(logits, options, fc.integer({ min: 1, max: 40 }), (raw, thresholds, maxCandidates) => {
        const all = decodeNms(raw, anchors, { ...thresholds, iou: 1, maxDetections: maxCandidates });
        const few = decodeNms(raw, anchors, { ...thresholds, iou: 1, maxDetections: 1000, maxCandidates });
        raw.dispose();
        assert.equal(few, all);
      }),
      { numRuns: 20 },
    ));

  test('of equal scores the lower anchor wins, of equal logits the lower class', () => {
    const raw = tf.zeros([1, anchors.count, columns]);
    const [found] = decodeNms(raw, anchors, everything);
    raw.dispose();
    assert.is(found.classIndex.length, anchors.count);
    assert.ok(found.classIndex.every((index) => index === 0));
    const places = Array.from(anchors.x, (x, i) => [x - 0.5, anchors.y[i] - 0.5, x + 0.5, anchors.y[i] + 0.5]);
    assert.equal(
      Array.from(found.boxes),
      places.flatMap((edges, i) => edges.map((edge) => edge * anchors.stride[i])),
    );
  });

  test('nothing above the threshold is an empty answer, and no tensor is left behind', () => {
    const before = tf.memory().numTensors;
    const raw = tf.fill([2, anchors.count, columns], -9);
    const found = decodeNms(raw, anchors, { ...everything, confidence: 0.5 });
    raw.dispose();
    assert.equal(
      found.map(({ classIndex }) => classIndex.length),
      [0, 0],
    );
    assert.is(tf.memory().numTensors, before);
  });

  test.run();
}

const test = suite('decode and NMS');

test('boxes are decoded as the plain code does it', () =>
  fc.assert(
    fc.property(logits, (raw) => {
      const count = anchors.count * columns;
      const plain = (raw.dataSync() as Float32Array).slice(0, count);
      decodeBoxes(plain, [height, width], classes);
      const activated = reference.activate(raw, anchors);
      const values = activated.dataSync();
      tf.dispose([raw, activated]);
      for (let i = 0; i < count; i += columns) assertNear(values.slice(i, i + 4), plain.slice(i, i + 4), 'box');
    }),
    { numRuns: 10 },
  ));

if (chosen.decodeNms !== reference.decodeNms) {
  const { decodeNms } = chosen;

  test('an anchor whose objectness, or every class, is NaN is not found; other NaN do no harm', () => {
    const values = new Float32Array(anchors.count * columns).fill(-9);
    // x, y, w, h, objectness, classes
    values.set([0, 0, 0, 0, Number.NaN, 5, 5, 5], 0);
    values.set([0, 0, 0, 0, 5, Number.NaN, Number.NaN, Number.NaN], 3 * columns);
    values.set([0, 0, 0, 0, 5, Number.NaN, 5, Number.NaN], 6 * columns);
    values.set([Number.NaN, 0, 0, 0, 4, 5, 0, 0], 9 * columns);
    const raw = tf.tensor3d(values, [1, anchors.count, columns]);
    const [found] = decodeNms(raw, anchors, { ...everything, confidence: 0.5 });
    raw.dispose();
    assert.equal(Array.from(found.classIndex), [1, 0]);
  });

  test('the same twice over, whatever the threads', () => {
    const raw = tf.randomNormal([4, anchors.count, columns], 0, 2, 'float32', 3);
    const first = decodeNms(raw, anchors, everything);
    for (let i = 0; i < 10; i++) assert.equal(decodeNms(raw, anchors, everything), first);
    raw.dispose();
  });

  test('no image, no detection asked for', () => {
    const [none, some]: Tensor[] = [tf.zeros([0, anchors.count, columns]), tf.zeros([1, anchors.count, columns])];
    assert.equal(decodeNms(none, anchors, everything), []);
    assert.is(decodeNms(some, anchors, { ...everything, maxDetections: 0 })[0].boxes.length, 0);
    tf.dispose([none, some]);
  });

  test('other shapes are refused', () => {
    const [short, narrow] = [tf.zeros([1, 5, columns]), tf.zeros([1, anchors.count, 5])];
    assert.throws(
      () => decodeNms(short, anchors, everything),
      /expected raw of shape \[N,126,5\+C\] .*received \[1,5,8\]/,
    );
    assert.throws(() => decodeNms(narrow, anchors, everything), /expected raw of shape .*received \[1,126,5\]/);
    tf.dispose([short, narrow]);
  });
}

test.run();
