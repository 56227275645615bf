import * as assert from 'uvu/assert';
import { readCoco } from '../../src/data/sources/coco.js';
import { decodeImage } from '../../src/image/decode.js';
import { caseFile, caseSuite } from './helpers.js';

const NAME = '11-geotiff';
const test = caseSuite(NAME);

test('images with private tags, NULs in text tags or tags out of order are taken in', async () => {
  const folders = [
    ['images', 'labels.json', 20],
    ['', 'odd.json', 3],
  ] as const;
  for (const [folder, labels, count] of folders) {
    const images = caseFile(NAME, folder);
    const { dataset, report } = await readCoco(images, caseFile(NAME, labels), { checkPixels: true });
    assert.is(dataset.images.length, count);
    assert.is(report.counts.unreadableImage, 0);
  }
});

test('predict and the service take the same', async () => {
  for (const file of ['images/tile_000.tif', 'odd/nul.tif', 'odd/unsorted.tif', 'plain/tile_000.tif']) {
    const { width, height, data } = await decodeImage(caseFile(NAME, file));
    assert.equal([width, height, data.length], [96, 72, 96 * 72 * 3]);
  }
});

test.run();
