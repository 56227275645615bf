import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { readBundle } from '../../src/detect/bundle.js';
import { loadWeights } from '../../src/model/weights/load.js';
import { caseFile, caseSuite, inTempDir, yolox } from './helpers.js';

const test = caseSuite('32-own-classes');
const HELMETS = caseFile('32-own-classes', 'yolox_helmets_best_ckpt.pth');
const NAMES = ['helmet', 'head', '300'];

test('a checkpoint of classes of one’s own is packed and imported with their names, which stay with it', async () => {
  await inTempDir(async (dir) => {
    const file = join(dir, 'names.txt');
    await writeFile(file, `${NAMES.join('\n')}\n`);
    const bundle = join(dir, 'bundle');
    const packed = await yolox([
      'pack',
      '--weights',
      HELMETS,
      '--classes',
      NAMES.join(','),
      '--size',
      '96',
      '--out',
      bundle,
    ]);
    assert.is(packed.code, 0, packed.stderr);
    assert.equal(
      (await readBundle(bundle)).categories.map(({ name }) => name),
      NAMES,
    );

    const imported = join(dir, 'a.safetensors');
    const { code, stderr } = await yolox(['import-weights', HELMETS, '--classes', file, '--out', imported]);
    assert.is(code, 0, stderr);
    const { info } = await loadWeights(imported);
    assert.equal(
      info?.categories?.map(({ name }) => name),
      NAMES,
    );
  });
});

test('without names the error says how to give them', async () => {
  await inTempDir(async (dir) => {
    const out = join(dir, 'bundle');
    const unnamed = await yolox(['pack', '--weights', HELMETS, '--out', out]);
    assert.is(unnamed.code, 2);
    assert.match(unnamed.stderr, /3 unnamed classes.*--classes a,b,c or --classes FILE/);
  });
});

test.run();
