import * as assert from 'uvu/assert';
import { type Anchors, anchorGrid } from '../../src/config/network.js';
import { decodeNms } from '../../src/kernels/decode_nms/index.js';
import { tf } from '../../src/kernels/tf.js';
import { maxDifference, readGolden } from '../support/golden.js';
import { golden, suiteNeeding } from '../support/shared.js';

/** Height and width of the inputs that the golden predictions are for. */
const SIZES = [
  [128, 192],
  [160, 160],
];

const cases = golden(/^postprocess_.*\.safetensors$/);
const test = suiteNeeding('golden post-processing on TensorFlow', cases);

for (const path of cases) {
  test(`${path.split('/').pop()}`, async () => {
    const file = await readGolden(path);
    const { conf, nms, class_agnostic } = file.metadata;
    const [n, count, columns] = file.shape('pred');
    const anchors = SIZES.map(([height, width]) => anchorGrid(height, width)).find(
      (grid) => grid.count === count,
    ) as Anchors;
    const raw = tf.tensor3d(toRaw(file.values('pred'), anchors, columns), [n, count, columns]);
    const found = decodeNms(raw, anchors, {
      confidence: +conf,
      iou: +nms,
      maxDetections: 10_000,
      agnostic: class_agnostic === 'true',
    });
    raw.dispose();
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

/** The head outputs that decode to given predictions. */
function toRaw(predictions: Float32Array, { count, x, y, stride }: Anchors, columns: number): Float32Array {
  return predictions.map((value, i) => {
    const [anchor, column] = [Math.floor(i / columns) % count, i % columns];
    if (column >= 4) return Math.log(value / (1 - value));
    if (column >= 2) return Math.log(value / stride[anchor]);
    return value / stride[anchor] - (column === 0 ? x : y)[anchor];
  });
}

const chunks = (values: Float32Array, width: number): number[][] =>
  Array.from({ length: values.length / width }, (_, i) => Array.from(values.subarray(i * width, (i + 1) * width)));

/** Rows in an order of their own: the golden answer is a set. */
const sorted = (rows: number[][]): number[] => rows.toSorted((a, b) => b[4] * b[5] - a[4] * a[5] || a[0] - b[0]).flat();

test.run();
