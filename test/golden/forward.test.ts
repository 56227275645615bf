import * as assert from 'uvu/assert';
import { Model } from '../../src/model/inference.js';
import { maxDifference, readGolden, readWeights, toNhwc } from '../support/golden.js';
import { golden, suiteNeeding } from '../support/shared.js';

const cases = golden(/^forward_.*\.io\.safetensors$/);
const test = suiteNeeding('golden forward', cases);

for (const path of cases) {
  test(`decoded outputs of ${path.split('/').pop()}`, async () => {
    const io = await readGolden(path);
    const { depth, width, depthwise, num_classes } = io.metadata;
    const architecture = { depth: +depth, width: +width, depthwise: depthwise === 'true', classes: +num_classes };
    const model = new Model(await readWeights(path.replace('.io.', '.weights.')), architecture);
    const [n, c, h, w] = io.shape('input_nchw_bgr');
    const output = model.predict(toNhwc(io.values('input_nchw_bgr'), [n, c, h, w]), [n, h, w]);
    model.dispose();
    assert.ok(maxDifference(output, io.values('output_decoded')) <= 1e-3);
  });
}

test.run();
