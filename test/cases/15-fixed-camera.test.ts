import * as assert from 'uvu/assert';
import { SPLITS } from '../../src/data/split.js';
import { caseFile, caseSuite } from './helpers.js';
import { prepare } from './prepare.js';

const test = caseSuite('15-fixed-camera');
const files = (name: string) =>
  [caseFile('15-fixed-camera', name), caseFile('15-fixed-camera', `${name}.json`)] as const;

test('a plain background is split by default', async () => {
  const { outputs } = await prepare(...files('white'));
  assert.ok(SPLITS.every((split) => outputs.counts[split].objects > 0));
});

test('a fixed camera: the error has the line to add, which works', async () => {
  const error = await prepare(...files('camera')).catch((reason) => reason);
  assert.match(error.message, /40 images in 1 group.*set prep\.nearDuplicates: null \(--prep\.nearDuplicates null\)/);
  const { outputs } = await prepare(...files('camera'), { nearDuplicates: null });
  assert.equal(
    SPLITS.map((split) => outputs.counts[split].objects),
    [24, 6, 10],
  );
});

test.run();
