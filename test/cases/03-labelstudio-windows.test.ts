import * as assert from 'uvu/assert';
import { caseFile, caseSuite } from './helpers.js';
import { load } from './prepare.js';

const test = caseSuite('03-labelstudio-windows');

for (const file of ['result.json', 'result_1_16.json', 'result_local.json']) {
  test(`${file}: every name is matched, and told`, async () => {
    const folder = caseFile('03-labelstudio-windows');
    const { dataset, log } = await load(folder, caseFile('03-labelstudio-windows', file));
    assert.equal([dataset.images.length, dataset.annotations.length], [20, 30]);
    assert.is(dataset.images[7].file_name, 'images/cb0618fd-shot_007.png');
    assert.match(log, /20 × image file found under another spelling of its name/);
  });
}

test.run();
