import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { annotate } from '../../../src/image/draw.js';
import { findImages } from '../../../src/pipeline/predict/image_inputs.js';
import { refused } from '../../support/refused.js';

const root = mkdtempSync(join(tmpdir(), 'image-inputs-'));
process.on('exit', () => rmSync(root, { recursive: true, force: true }));

const at = (name: string) => join(root, name);

function put(name: string, content: string | Uint8Array = ''): string {
  mkdirSync(dirname(at(name)), { recursive: true });
  writeFileSync(at(name), content);
  return at(name);
}

for (const name of [
  'b.png',
  'a.jpg',
  'sub/c.JPEG',
  'sub/deep/d.webp',
  'notes.txt',
  '.hidden.jpg',
  '.git/e.png',
  'x[1].png',
])
  put(`photos/${name}`);
mkdirSync(at('empty'));
put('texts/a.txt');

const test = suite('images that arguments name');

test('a folder is looked through; what is no image, and what is hidden, is counted', async () => {
  const { images, skipped } = await findImages([at('photos')]);
  assert.equal(
    images.map(({ name }) => name),
    ['a.jpg', 'b.png', 'sub/c.JPEG', 'sub/deep/d.webp', 'x[1].png'],
  );
  assert.equal(
    images.map(({ path, name }) => path === join(at('photos'), name)),
    new Array(5).fill(true),
  );
  assert.equal(
    skipped.map(({ reason, count }) => [reason, count]),
    [
      ['hidden files', 2],
      ['files that are no images', 1],
    ],
  );
});

test('a glob gives names below its fixed part; files win over globs', async () => {
  assert.equal(
    (await findImages([at('photos/**/*.{png,JPEG}')])).images.map(({ name }) => name),
    ['b.png', 'sub/c.JPEG', 'x[1].png'],
  );
  assert.equal(
    (await findImages([at('photos/s*/*')])).images.map(({ name }) => name),
    ['sub/c.JPEG'],
  );
  assert.equal(
    (await findImages([at('photos/x[1].png')])).images.map(({ name }) => name),
    ['x[1].png'],
  );
});

test('an image without an ending is known by its content', async () => {
  put('odd/photo', await annotate({ width: 8, height: 8, data: new Uint8Array(192) }, []));
  put('odd/README', 'words');
  const { images, skipped } = await findImages([at('odd')]);
  assert.equal(
    images.map(({ name }) => name),
    ['photo'],
  );
  assert.equal(
    skipped.map(({ count }) => count),
    [1],
  );
});

test('arguments keep their order; what a folder gives again is taken once', async () => {
  const { images, skipped } = await findImages([
    at('photos/sub/c.JPEG'),
    at('missing.jpg'),
    at('photos/sub'),
    at('photos/sub'),
  ]);
  assert.equal(
    images.map(({ path }) => path),
    [at('photos/sub/c.JPEG'), at('missing.jpg'), at('photos/sub/deep/d.webp')],
  );
  assert.equal(
    skipped.map(({ reason, count }) => [reason, count]),
    [['images named before', 3]],
  );
});

test('a list names files and folders, one a line', async () => {
  const list = put('list.txt', `\uFEFF${at('photos/a.jpg')}\r\n\n${at('photos/sub/deep')}\n${at('*.png')}\n`);
  const { images } = await findImages([`@${list}`]);
  assert.equal(
    images.map(({ path }) => path),
    [at('photos/a.jpg'), at('photos/sub/deep/d.webp'), at('*.png')],
  );
  assert.match(await refused(findImages([`@${put('none.txt', '\n')}`])), 'no line');
  assert.match(await refused(findImages([`@${put('binary', 'a\0b')}`])), 'a binary file');
  assert.match(await refused(findImages([`@${at('absent.txt')}`])), 'absent.txt');
  const image = put('listed', await annotate({ width: 8, height: 8, data: new Uint8Array(192) }, []));
  assert.match(await refused(findImages([`@${image}`])), 'written ./@');
});

test('a folder or glob without an image is an error', async () => {
  assert.match(await refused(findImages([at('empty')])), 'received "no file"');
  assert.match(await refused(findImages([at('photos/*.tiff')])), 'received "no file"');
  assert.match(await refused(findImages([at('texts')])), '1 files, none of them an image');
});

test('links are followed, circles are not', async () => {
  put('linked/real/a.png');
  symlinkSync(at('linked'), at('linked/real/circle'));
  symlinkSync(at('photos/b.png'), at('linked/b.png'));
  const { images } = await findImages([at('linked')]);
  assert.equal(
    images.map(({ name }) => name),
    ['b.png', 'real/a.png'],
  );
});

test('images that an earlier run annotated are left out of the folder of outputs alone', async () => {
  const image = { width: 8, height: 8, data: new Uint8Array(192) };
  const drawn = await annotate(image, []);
  put('mixed/a.png');
  put('mixed/found/a.jpg', drawn);
  put('mixed/found/own.jpg', 'not ours');
  const names = async (out?: string) => (await findImages([at('mixed')], out)).images.map(({ name }) => name);
  assert.equal(await names(at('mixed/found')), ['a.png', 'found/own.jpg']);
  assert.equal(await names(), ['a.png', 'found/a.jpg', 'found/own.jpg']);
});

test.run();
