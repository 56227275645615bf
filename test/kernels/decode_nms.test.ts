import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeBoxes, postprocess } from '../../src/data/detections.js';
import { activate, decodeNms } from '../../src/kernels/decode_nms/index.js';
import { tf } from '../../src/kernels/tf.js';
import { anchorsOf } from '../../src/model/inference.js';

const test = suite('decode and NMS: TensorFlow against the plain post-processing of serving');
const [height, width, classes] = [64, 96, 3];
const anchors = anchorsOf(height, width);
const columns = 5 + classes;

/** Logits of which about half pass the thresholds, boxes large enough to overlap. */
const logits = fc.nat(1e6).map((seed) => tf.randomNormal([1, anchors.count, columns], 0, 1.5, 'float32', seed + 1));

const options = fc.record({
  confidence: fc.constantFrom(0.05, 0.3, 0.6),
  nms: fc.constantFrom(0.3, 0.5, 0.65),
  maxDetections: fc.constantFrom(1, 10, 1000),
  agnostic: fc.boolean(),
});

test('the same detections in the same order', () =>
  fc.assert(
    fc.property(logits, options, (raw, thresholds) => {
      const activated = activate(raw, anchors);
      const [found] = decodeNms(activated, thresholds);
      const plain = postprocess(activated.dataSync() as Float32Array, {
        anchors: anchors.count,
        classes,
        ...thresholds,
      });
      tf.dispose([raw, activated]);
      assert.equal(
        Array.from(found.classIndex),
        plain.map(({ classIndex }) => classIndex),
      );
      plain.forEach(({ box, score }, i) => {
        assert.ok(Math.abs(found.objectness[i] * found.probability[i] - score) <= 1e-6);
        for (const [k, edge] of box.entries()) assert.ok(Math.abs(found.boxes[4 * i + k] - edge) <= 1e-3);
      });
    }),
    { numRuns: 40 },
  ));

test('boxes are decoded as the plain code does it', () =>
  fc.assert(
    fc.property(logits, (raw) => {
      const plain = (raw.dataSync() as Float32Array).slice();
      decodeBoxes(plain, [height, width], classes);
      const activated = activate(raw, anchors);
      const values = activated.dataSync();
      for (let i = 0; i < anchors.count; i++) {
        for (let k = 0; k < 4; k++) {
          const [ours, theirs] = [values[i * columns + k], plain[i * columns + k]];
          assert.ok(Math.abs(ours - theirs) <= 1e-5 * Math.max(1, Math.abs(theirs)));
        }
      }
      tf.dispose([raw, activated]);
    }),
    { numRuns: 10 },
  ));

test('nothing above the threshold is an empty answer, and no tensor is left behind', () => {
  const before = tf.memory().numTensors;
  const predictions = tf.zeros([2, anchors.count, columns]);
  const found = decodeNms(predictions, { confidence: 0.5, nms: 0.5, maxDetections: 10, agnostic: false });
  predictions.dispose();
  assert.equal(
    found.map(({ classIndex }) => classIndex.length),
    [0, 0],
  );
  assert.is(tf.memory().numTensors, before);
});

test.run();
