import * as assert from 'uvu/assert';
import { caseFile, caseSuite } from './helpers.js';
import { prepare } from './prepare.js';

const test = caseSuite('07-text-ids');

const TOLD = {
  'text_image_id.json': /30 × id that is an integer written as text/,
  'text_both.json': /20 × id that is text or above 2\^53.*\n.*"00000000_d" is 1 now/,
  'text_bbox.json': /30 × box whose numbers are written as text/,
  'big_ids.json': /20 × id that is text or above 2\^53.*\n.*"1234567890123456789" is 1 now/,
};

for (const [file, told] of Object.entries(TOLD)) {
  test(`${file}: every box stays with its image, and it is told`, async () => {
    const { dataset, outputs, log } = await prepare(caseFile('07-text-ids', 'images'), caseFile('07-text-ids', file));
    const boxesOf = (name: string) => {
      const image = dataset.images.find(({ file_name }) => file_name === name);
      return dataset.annotations.filter(({ image_id }) => image_id === image?.id).map(({ bbox }) => bbox);
    };
    assert.equal([dataset.images.length, dataset.annotations.length], [20, 30]);
    assert.equal(boxesOf('018.png'), [[34, 36, 24, 21]]);
    assert.equal(boxesOf('019.png'), [
      [10, 36, 18, 28],
      [61, 6, 20, 18],
    ]);
    assert.equal(outputs.categories, ['sign']);
    assert.match(log, told);
  });
}

test.run();
