import * as assert from 'uvu/assert';
import { decodeNms } from '../../src/kernels/decode_nms/index.js';
import { tf } from '../../src/kernels/tf.js';
import { golden, suiteNeeding } from '../helpers.js';
import { maxDifference, readGolden } from './read.js';

const cases = golden(/^postprocess_.*\.safetensors$/);
const test = suiteNeeding('golden post-processing on TensorFlow', cases);

for (const path of cases) {
  test(`${path.split('/').pop()}`, async () => {
    const file = await readGolden(path);
    const { conf, nms, class_agnostic } = file.metadata;
    const predictions = tf.tensor3d(file.values('pred'), file.shape('pred') as [number, number, number]);
    const found = decodeNms(predictions, {
      confidence: +conf,
      nms: +nms,
      maxDetections: 10_000,
      agnostic: class_agnostic === 'true',
    });
    predictions.dispose();
    found.forEach(({ boxes, objectness, probability, classIndex }, n) => {
      const rows = Array.from(classIndex, (c, i) => [
        ...boxes.subarray(4 * i, 4 * i + 4),
        objectness[i],
        probability[i],
        c,
      ]);
      const expected = file.values(`det_${n}`);
      assert.is(rows.length, expected.length / 7);
      assert.ok(maxDifference(sorted(rows), sorted(chunks(expected, 7))) <= 1e-4);
    });
  });
}

const chunks = (values: Float32Array, width: number): number[][] =>
  Array.from({ length: values.length / width }, (_, i) => Array.from(values.subarray(i * width, (i + 1) * width)));

/** Rows in an order of their own: the golden answer is a set. */
const sorted = (rows: number[][]): number[] => rows.toSorted((a, b) => b[4] * b[5] - a[4] * a[5] || a[0] - b[0]).flat();

test.run();
