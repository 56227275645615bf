import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { readCoco } from '../../src/data/sources/coco.js';
import { decodeImage } from '../../src/image/decode.js';
import { caseFile, caseSuite, inTempDir, yolox } from './helpers.js';

const NAME = '13-bmp';
const test = caseSuite(NAME);

test('bitmaps are read for training', async () => {
  const { dataset, report } = await readCoco(caseFile(NAME, 'images'), caseFile(NAME, 'labels.json'), {
    checkPixels: true,
  });
  assert.is(dataset.images.length, 20);
  assert.ok(dataset.annotations.length > 0);
  assert.is(report.items.length, 0);
});

test('a bitmap named .jpg is read by its content', async () => {
  const { width, height, data } = await decodeImage(caseFile(NAME, 'lies.jpg'));
  assert.equal([width, height, data.length], [96, 72, 96 * 72 * 3]);
  assert.ok(new Set(data).size > 10);
});

test('data-load and data-prep go through', () =>
  inTempDir(async (dir) => {
    const input = ['--images', caseFile(NAME, 'images'), '--annotations', caseFile(NAME, 'labels.json')];
    const { code, stderr } = await yolox(['data-prep', ...input, '--store', dir]);
    assert.is(code, 0, stderr);
    assert.ok((await readdir(join(dir, 'default', 'data-prep'))).length > 0);
  }));

test.run();
