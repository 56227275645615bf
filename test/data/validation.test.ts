import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { describeReport, PROBLEMS, Validation } from '../../src/data/validation.js';

const test = suite('validation');

test('a clean report has every count at zero and says nothing', () => {
  const { report } = new Validation();
  assert.equal(Object.keys(report.counts), Object.keys(PROBLEMS));
  assert.equal(Object.values(report.counts).filter(Boolean), []);
  assert.equal(describeReport(report), []);
});

test('all items are kept, a few of each kind are shown', () => {
  const validation = new Validation();
  for (let i = 0; i < 5; i++) validation.dropped('emptyBox', `annotations[${i}]`, `1 2 0 ${i}`);
  validation.fixed('missingArea', 'annotations[9]');
  validation.count('unlistedPicture', 12);
  const { report } = validation;
  assert.is(report.items.length, 6);
  assert.equal([report.counts.emptyBox, report.counts.missingArea, report.counts.unlistedPicture], [5, 1, 12]);
  assert.equal(describeReport(report, 2), [
    `  5 × ${PROBLEMS.emptyBox}`,
    '    annotations[0], dropped, 1 2 0 0',
    '    annotations[1], dropped, 1 2 0 1',
    '    … and 3 more',
    `  1 × ${PROBLEMS.missingArea}`,
    '    annotations[9], fixed',
    `  12 × ${PROBLEMS.unlistedPicture}`,
  ]);
});

test.run();
