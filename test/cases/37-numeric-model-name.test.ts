import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { readBundle } from '../../src/detect/bundle.js';
import { caseFile, caseSuite, inTempDir, yolox } from './helpers.js';

const NAME = '37-numeric-model-name';
const test = caseSuite(NAME);

test('the name of a model is text, from the file and from --name', () =>
  inTempDir(async (dir) => {
    for (const [flags, name] of [
      [[], '300'],
      [['--name', '7'], '7'],
      [['--pack.name', '007'], '007'],
    ] as const) {
      const out = join(dir, name);
      const { code, stderr } = await yolox(['pack', '--weights', caseFile(NAME, '300.onnx'), '--out', out, ...flags]);
      assert.is(code, 0, stderr);
      assert.is((await readBundle(out)).name, name);
    }
  }));

test.run();
