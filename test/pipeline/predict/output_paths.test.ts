import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { annotate } from '../../../src/image/draw.js';
import { planOutputs } from '../../../src/pipeline/predict/output_paths.js';

const root = mkdtempSync(join(tmpdir(), 'output-paths-'));
process.on('exit', () => rmSync(root, { recursive: true, force: true }));

const out = join(root, 'out');
const image = (path: string, name = basename(path)) => ({ path, name });
const names = async (folder: string, ...paths: string[]) =>
  (
    await planOutputs(
      folder,
      paths.map((path) => image(path)),
    )
  ).map(({ path }) => basename(path));

const test = suite('paths of annotated images');

test('free names are given first, then numbers', async () => {
  assert.equal(await names(out, 'x/a.png', 'y/a.png', 'z/a-2.png'), ['a.jpg', 'a-3.jpg', 'a-2.jpg']);
  assert.equal(await names(out, 'a.png', 'a.jpg', 'A.webp'), ['a.jpg', 'a-2.jpg', 'A-3.jpg']);
  assert.equal(await names(out, 'caf\u00e9.png', 'cafe\u0301.png'), ['caf\u00e9.jpg', 'cafe\u0301-2.jpg']);
});

test('names of a folder keep their sub-folders', async () => {
  const plan = await planOutputs(out, [image('in/p/a.png', 'p/a.png'), image('in/q/a.png', 'q/a.png')]);
  assert.equal(plan, [{ path: join(out, 'p/a.jpg') }, { path: join(out, 'q/a.jpg') }]);
});

test('outputs are all different, and none is an input', () => {
  const name = fc.stringMatching(/^[aAb](-[23])?\.(jpg|png|JPG)$/);
  const folder = fc.constantFrom(out, join(root, 'other'));
  return fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(folder, name), { maxLength: 12 }), async (inputs) => {
      const images = inputs.map(([dir, file]) => image(join(dir, file)));
      const paths = (await planOutputs(out, images)).map(({ path }) => path.toLowerCase());
      assert.is(new Set(paths).size, paths.length);
      for (const { path } of images) assert.not(paths.includes(path.toLowerCase()));
    }),
  );
});

test('an input reached by a link to its folder or to itself is not replaced', async () => {
  const [photos, link] = [join(root, 'photos'), join(root, 'link')];
  mkdirSync(photos);
  writeFileSync(join(photos, 'a.jpg'), 'an image');
  symlinkSync(photos, link);
  symlinkSync(join(photos, 'a.jpg'), join(photos, 'b.jpg'));
  assert.equal(await names(link, join(photos, 'a.jpg')), ['a-2.jpg']);
  assert.equal(await names(photos, join(link, 'a.jpg')), ['a-2.jpg']);
  assert.equal(await names(photos, join(photos, 'b.jpg')), ['b-2.jpg']);
});

test('files of others are not replaced, earlier outputs are', async () => {
  mkdirSync(out);
  writeFileSync(join(out, 'a.jpg'), 'an image of somebody');
  writeFileSync(join(out, 'b.jpg'), await annotate({ width: 8, height: 8, data: new Uint8Array(192) }, []));
  linkSync(join(out, 'b.jpg'), join(root, 'b-again.jpg'));
  mkdirSync(join(out, 'c.jpg'));
  assert.equal(await names(out, 'a.png', 'b.png', 'c.png'), ['a-2.jpg', 'b.jpg', 'c-2.jpg']);
  const [{ changed }] = await planOutputs(out, [image('a.png')]);
  assert.match(changed ?? '', 'another file');
});

test('names of 255 bytes fit, and say when they were cut', async () => {
  const [long, longer] = [`${'é'.repeat(125)}a.png`, `${'é'.repeat(126)}.gz`];
  const plan = await planOutputs(out, [image(long), image(`x/${long}`), image(longer), image('b'.repeat(255))]);
  for (const { path } of plan) assert.ok(Buffer.byteLength(basename(path)) <= 255, path);
  assert.is(new Set(plan.map(({ path }) => path)).size, 4);
  const told = plan.map(({ changed }) => changed?.replace(/^.*\bis /, ''));
  assert.equal(told, [undefined, `the output of ${long}`, 'too long', 'too long']);
});

test.run();
