import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { makeBundle } from '../serve/make_bundle.js';
import { caseFile, caseSuite, inTempDir, yolox } from './helpers.js';

const test = caseSuite('35-predict-names');

test('three images of two names give three annotated files', () =>
  inTempDir(async (dir) => {
    const bundle = await makeBundle();
    const images = ['x/a.png', 'y/a.png', 'z/a-2.png'].map((name) => caseFile('35-predict-names', name));
    const { code, stdout, stderr } = await yolox(['predict', '--bundle', bundle, '--out', dir, '--json', ...images]);
    await rm(bundle, { recursive: true });
    assert.is(code, 0, stderr);
    const predictions = JSON.parse(stdout).images;
    assert.equal(
      predictions.map(({ annotated }: { annotated: string }) => annotated),
      ['a.jpg', 'a-3.jpg', 'a-2.jpg'].map((name) => join(dir, name)),
    );
    assert.equal((await readdir(dir)).sort(), ['a-2.jpg', 'a-3.jpg', 'a.jpg']);
    assert.match(stderr, `${images[1]}: drawn in ${join(dir, 'a-3.jpg')}`);
  }));

test.run();
