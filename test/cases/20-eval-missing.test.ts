import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { shared, suiteNeeding } from '../support/shared.js';
import { caseFile, inTempDir, yolox } from './helpers.js';

const weights = shared('weights/yolox_nano.onnx');
const photos = shared('coco/images');
const annotations = caseFile('20-eval-missing', 'instances.json');
const test = suiteNeeding('case 20-eval-missing', [annotations, weights, photos]);

/** The two of twelve images that are there; the case links to them. */
const THERE = ['000000000802.jpg', '000000005001.jpg'];

test('ten of twelve images are missing: the evaluation says so, in JSON as well', () =>
  inTempDir(async (dir) => {
    const images = join(dir, 'images');
    await mkdir(images);
    for (const name of THERE) await copyFile(join(photos, name), join(images, name));
    const args = ['model-eval', '--weights', weights, '--images', images, '--annotations', annotations];
    const { code, stdout, stderr } = await yolox([...args, '--json']);
    assert.is(code, 0, stderr);
    const { images: count, listed_images, left_out, map } = JSON.parse(stdout);
    assert.equal([count, listed_images, left_out.missingImage], [2, 12, 10]);
    assert.ok(map > 0.2);
    assert.match(stderr, 'Only 2 of the 12 images listed were evaluated');
    const strict = await yolox([...args, '--strict']);
    assert.is(strict.code, 2);
    assert.match(strict.stderr, '10 missingImage');
  }));

test.run();
