import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ImageFiles } from '../../../src/data/sources/image_files.js';
import { resolveFiles } from '../../../src/data/sources/resolve_files.js';

const test = suite('resolve_files');

/** What becomes of each of `names` in a folder of `files`. */
async function resolve(files: readonly string[], names: readonly string[]): Promise<string[]> {
  const folder: ImageFiles = {
    where: 'folder',
    names: files,
    find: async (name) => files.find((file) => file === name),
    read: () => Promise.reject(new Error('not read here')),
    close() {},
  };
  const listed = names.map((file_name, i) => ({
    key: i,
    id: i,
    file_name,
    width: 4,
    height: 3,
    where: `images[${i}]`,
  }));
  const resolved = await resolveFiles(listed, folder);
  return resolved.map((one) => ('kind' in one ? `${one.kind}: ${one.detail}` : `${one.fit}: ${one.file}`));
}

test('names as they are, spelt otherwise, of another place, missing, and leading out', async () => {
  assert.equal(
    await resolve(
      ['a/1.jpg', 'a/2.jpg', '3.jpg', '4.png'],
      ['a/1.jpg', 'a\\2.jpg', 'C:\\x\\3.jpg', '4.jpg', '../5.jpg'],
    ),
    ['exact: a/1.jpg', 'spelling: a/2.jpg', 'spelling: 3.jpg', 'missingImage: there is "4.png"', 'unsafePath: '],
  );
  assert.equal(await resolve(['b/1.jpg'], ['/a/1.jpg']), ['end: b/1.jpg']);
});

test('a name that fits several files is of none', async () => {
  assert.equal(await resolve(['a/1.jpg', 'b/1.jpg'], ['1.jpg']), ['ambiguousName: may be "a/1.jpg" or "b/1.jpg"']);
});

test('a file that several names fit is of none of them, unless it has just that name', async () => {
  const none = 'ambiguousName: "1.jpg", which other names fit as well';
  assert.equal(await resolve(['1.jpg'], ['cam1/1.jpg', 'cam2/1.jpg']), [none, none]);
  assert.equal(await resolve(['1.jpg'], ['cam1/1.jpg', '1.jpg']), [
    'ambiguousName: "1.jpg", which another entry names as it is',
    'exact: 1.jpg',
  ]);
  assert.equal(await resolve(['a/1.jpg'], ['a\\1.jpg', 'a/1.jpg', './/a/1.jpg']), [
    'spelling: a/1.jpg',
    'exact: a/1.jpg',
    'spelling: a/1.jpg',
  ]);
});

test.run();
