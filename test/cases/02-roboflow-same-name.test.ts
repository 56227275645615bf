import * as assert from 'uvu/assert';
import { caseFile, caseSuite } from './helpers.js';
import { prepare } from './prepare.js';

const test = caseSuite('02-roboflow-same-name');

for (const categories of [null, ['car']]) {
  test(`a root category named like the only class is that class; categories ${JSON.stringify(categories)}`, async () => {
    const { dataset, outputs, log } = await prepare(
      caseFile('02-roboflow-same-name', 'train'),
      caseFile('02-roboflow-same-name', 'train', '_annotations.coco.json'),
      { categories },
    );
    assert.equal(dataset.categories, [{ id: 1, name: 'car', supercategory: 'car' }]);
    assert.equal(outputs.categories, ['car']);
    assert.is(outputs.counts.train.objects + outputs.counts.val.objects + outputs.counts.test.objects, 30);
    assert.match(log, /1 × category name used by several ids.*\n.*id 0: 0 annotations, id 1: 30 annotations/);
  });
}

test.run();
