import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import type { Detector } from '../../../src/detect/detector.js';
import { openDetector } from '../../../src/pipeline/open_detector.js';
import { findImages } from '../../../src/pipeline/predict/image_inputs.js';
import { predictImages } from '../../../src/pipeline/predict/index.js';
import { makeBundle, randomJpeg } from '../../serve/make_bundle.js';

const root = mkdtempSync(join(tmpdir(), 'predict-'));
let bundle: string;
let detector: Detector;

const test = suite('predict images');

test.before(async () => {
  bundle = await makeBundle();
  detector = await openDetector({ bundle });
});
test.after(async () => {
  await detector.close();
  for (const dir of [root, bundle]) rmSync(dir, { recursive: true, force: true });
});

async function folder(name: string): Promise<string> {
  const dir = join(root, name);
  mkdirSync(dir);
  for (const seed of [1, 2]) writeFileSync(join(dir, `${seed}.jpg`), await randomJpeg(seed));
  return dir;
}

for (const [where, outOf] of [
  ['its own folder', (dir: string) => dir],
  ['a link to its folder', (dir: string) => `${dir}-link`],
  ['its folder, spelt otherwise', (dir: string) => join(dir, '..', 'predict-x', '..', dir.slice(root.length + 1), '.')],
] as const) {
  test(`an image drawn into ${where} stays as it is, run after run`, async () => {
    const dir = await folder(where.replace(/\W/g, '_'));
    symlinkSync(dir, `${dir}-link`);
    mkdirSync(join(root, 'predict-x'), { recursive: true });
    const before = ['1.jpg', '2.jpg'].map((name) => readFileSync(join(dir, name)));
    for (let run = 0; run < 2; run++) {
      const { images } = await findImages([dir], outOf(dir));
      const predictions = await predictImages(detector, images, { out: outOf(dir) });
      assert.equal(
        predictions.map((prediction) => 'annotated' in prediction && prediction.annotated),
        ['1-2.jpg', '2-2.jpg'].map((name) => join(outOf(dir), name)),
      );
    }
    assert.equal((await readdir(dir)).sort(), ['1-2.jpg', '1.jpg', '2-2.jpg', '2.jpg']);
    assert.equal(
      ['1.jpg', '2.jpg'].map((name) => readFileSync(join(dir, name))),
      before,
    );
    assert.is((await sharp(join(dir, '1-2.jpg')).metadata()).width, 150);
  });
}

test('a folder keeps its sub-folders; what fails is an answer in its place', async () => {
  const dir = await folder('nested');
  mkdirSync(join(dir, 'sub'));
  writeFileSync(join(dir, 'sub', '1.jpg'), await randomJpeg(3));
  writeFileSync(join(dir, '0.jpg'), 'no image');
  const { images } = await findImages([dir]);
  const out = join(root, 'found');
  const predictions = await predictImages(detector, images, { out });
  assert.equal(
    predictions.map((prediction) => ('error' in prediction ? 'error' : prediction.annotated)),
    ['error', ...['1.jpg', '2.jpg', 'sub/1.jpg'].map((name) => join(out, name))],
  );
});

test('an empty or impossible folder of outputs is refused before any work', async () => {
  const file = join(root, 'a-file');
  writeFileSync(file, '');
  for (const out of ['', file, join(file, 'below')]) {
    try {
      await predictImages(detector, [{ path: 'absent.jpg', name: 'absent.jpg' }], { out });
      assert.unreachable();
    } catch (error) {
      assert.instance(error, UserError, String(error));
    }
  }
});

test.run();
