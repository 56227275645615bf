import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { commonestCause, describeReport, PROBLEMS, Validation } from '../../src/data/validation.js';

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
  validation.count('unlistedImage', 12);
  const { report } = validation;
  assert.is(report.items.length, 6);
  assert.equal([report.counts.emptyBox, report.counts.missingArea, report.counts.unlistedImage], [5, 1, 12]);
  assert.equal(describeReport(report, 2), [
    `  5 × ${PROBLEMS.emptyBox}`,
    '    annotations[0], dropped, 1 2 0 0',
    '    annotations[1], dropped, 1 2 0 1',
    '    … and 3 more',
    '    bbox is [x, y, width, height] in pixels with both sizes above 0.',
    `  1 × ${PROBLEMS.missingArea}`,
    '    annotations[9], fixed',
    `  12 × ${PROBLEMS.unlistedImage}`,
  ]);
});

test('different reasons are shown before repeated ones', () => {
  const validation = new Validation();
  for (const [i, reason] of ['no image', 'no image', 'no image', 'truncated'].entries()) {
    validation.dropped('unreadableImage', `images[${i}]`, reason);
  }
  assert.equal(describeReport(validation.report, 2).slice(1), [
    '    images[0], dropped, no image',
    '    images[3], dropped, truncated',
    '    … and 2 more',
  ]);
});

test('the commonest cause: by kind, by reason of unreadable files, and through dropped images', () => {
  const add = new Validation();
  for (const [i, reason] of ['a', 'b', 'b'].entries()) add.dropped('unreadableImage', `images[${i}]`, reason);
  add.fixed('missingArea', 'annotations[0]');
  assert.is(commonestCause(add.report.items)?.text, `2 × ${PROBLEMS.unreadableImage}: images[1], b`);
  add.dropped('annotationOfDropped', 'annotations[1]', 'image_id 1');
  const own = add.report.items.filter(({ where }) => where.startsWith('annotations'));
  const cause = commonestCause(own, add.report.items);
  assert.is(cause?.kind, 'annotationOfDropped');
  assert.match(cause?.text ?? '', /image_id 1; 2 × .*images\[1\], b$/);
  assert.is(commonestCause([]), undefined);
});

test.run();
