import * as assert from 'uvu/assert';
import { caseFile, caseSuite } from './helpers.js';
import { load } from './prepare.js';

const test = caseSuite('04-same-image-id');

test('images of one id are left out with their boxes, and listed', async () => {
  const { dataset, log } = await load(
    caseFile('04-same-image-id', 'images'),
    caseFile('04-same-image-id', 'via_export_coco.json'),
  );
  assert.equal(
    dataset.images.map(({ file_name }) => file_name),
    Array.from({ length: 16 }, (_, i) => `${String(i + 2).padStart(3, '0')}.png`),
  );
  assert.is(dataset.annotations.length, 24);
  assert.not.ok(dataset.annotations.some(({ image_id }) => image_id <= 2));
  assert.match(log, /4 × image id used for several images/);
  assert.match(log, /6 × annotation of an image or category that was dropped/);
});

test.run();
