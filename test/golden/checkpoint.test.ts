import * as assert from 'uvu/assert';
import { openNetwork } from '../../src/model/weights/open.js';
import { readWeights } from '../support/golden.js';
import { golden, suiteNeeding } from '../support/shared.js';

const cases = golden(/^forward_.*\.(megvii|mmdet)\.pth$/);
const test = suiteNeeding('golden checkpoints', cases);

for (const path of cases) {
  test(`weights of ${path.split('/').pop()}`, async () => {
    const framework = path.split('.').at(-2);
    const { weights, format, report } = await openNetwork(path);
    const expected = await readWeights(path.replace(`.${framework}.pth`, '.weights.safetensors'));
    assert.is(format, framework);
    assert.equal(report, { loaded: expected.size, missing: [], unexpected: [], mismatched: [], reinitialised: [] });
    assert.equal([...weights.keys()].sort(), [...expected.keys()].sort());
    for (const [name, tensor] of expected) assert.equal(weights.get(name), tensor, name);
  });
}

test.run();
