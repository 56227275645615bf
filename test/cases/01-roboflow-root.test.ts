import * as assert from 'uvu/assert';
import { caseFile, caseSuite } from './helpers.js';
import { prepare } from './prepare.js';

const test = caseSuite('01-roboflow-root');

test('a root category that only groups others is left out, and told', async () => {
  const { outputs, log } = await prepare(
    caseFile('01-roboflow-root', 'train'),
    caseFile('01-roboflow-root', 'train', '_annotations.coco.json'),
  );
  assert.equal(outputs.categories, ['nut', 'bolt']);
  assert.is(outputs.counts.train.objects + outputs.counts.val.objects + outputs.counts.test.objects, 36);
  assert.match(log, /^left out as they have no object: parts$/m);
});

test.run();
