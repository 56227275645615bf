import { basename } from 'node:path';
import * as assert from 'uvu/assert';
import { postprocess } from '../../src/detect/nms.js';
import { maxDifference, readGolden } from '../support/golden.js';
import { golden, suiteNeeding } from '../support/shared.js';

const cases = golden(/^postprocess_.*\.safetensors$/);
const test = suiteNeeding('golden post-processing of the service', cases);

for (const path of cases) {
  test(basename(path), async () => {
    const { values, shape, metadata } = await readGolden(path);
    const [batch, anchors, width] = shape('pred');
    const limits = {
      confidence: Number(metadata.conf),
      iou: Number(metadata.nms),
      agnostic: metadata.class_agnostic === 'true',
      maxDetections: anchors,
    };
    for (let n = 0; n < batch; n++) {
      const output = values('pred').subarray(n * anchors * width, (n + 1) * anchors * width);
      const found = postprocess(output, { anchors, classCount: width - 5 }, limits);
      const rows = found.map(({ box, score, classIndex }) => [...box, score, classIndex]);
      const expected = Array.from({ length: shape(`det_${n}`)[0] }, (_, i) => {
        const [x1, y1, x2, y2, objectness, probability, classIndex] = values(`det_${n}`).subarray(i * 7, i * 7 + 7);
        return [x1, y1, x2, y2, objectness * probability, classIndex];
      });
      assert.is(rows.length, expected.length);
      assert.ok(maxDifference(rows.flat(), expected.flat()) <= 1e-4);
    }
  });
}

test.run();
