import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { caseFile, caseSuite, inTempDir, yolox } from './helpers.js';

const test = caseSuite('27-nan-weights');
const NAN = caseFile('27-nan-weights', 'latest_ckpt.pth');

test('weights of NaN are named where they are read, and nothing is written', async () => {
  await inTempDir(async (dir) => {
    const out = join(dir, 'out');
    const image = caseFile('11-geotiff', 'images', 'tile_000.tif');
    for (const args of [
      ['export-onnx', '--weights', NAN, '--out', out],
      ['predict', '--weights', NAN, image],
    ]) {
      const { code, stdout, stderr } = await yolox(args);
      assert.equal([code, stdout], [2, ''], stderr);
      assert.match(
        stderr,
        /latest_ckpt\.pth: tensor \S+: expected finite numbers, received "\d+ NaN of \d+ values; 118 tensors of 388/,
      );
      assert.equal(await readdir(dir), []);
    }
  });
});

test.run();
