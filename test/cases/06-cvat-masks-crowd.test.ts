import * as assert from 'uvu/assert';
import { caseFile, caseSuite } from './helpers.js';
import { prepare } from './prepare.js';

const test = caseSuite('06-cvat-masks-crowd');
const FILES = [
  caseFile('06-cvat-masks-crowd', 'images'),
  caseFile('06-cvat-masks-crowd', 'instances_default.json'),
] as const;

test('crowds are named as the cause, with the setting', async () => {
  const error = await prepare(...FILES).catch((reason) => reason);
  assert.match(
    error.message,
    /none of leaf"\. All 30 annotations of leaf are crowds \(iscrowd 1\).*set prep\.crowd: keep/,
  );
});

test('with the setting they are objects', async () => {
  const { outputs } = await prepare(...FILES, { crowd: 'keep' });
  assert.is(outputs.counts.train.objects + outputs.counts.val.objects + outputs.counts.test.objects, 30);
});

test.run();
