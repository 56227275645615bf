import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { cleanNames, FileIndex } from '../../../src/data/sources/image_names.js';

const test = suite('image_names');

const FILES = ['images/cat 1.jpg', 'images/b/dog.jpg', 'train/002.jpg', 'val/001.jpg', 'caf\u00e9.PNG'];

/** Names that other tools and machines have for `images/cat 1.jpg`. */
const SPELLINGS = [
  'images\\cat 1.jpg',
  '.\\images\\cat 1.jpg',
  './images//cat 1.jpg',
  'images/cat%201.jpg',
  ' images/cat 1.jpg\r\n',
  'cat 1.jpg',
  'data/images/cat 1.jpg',
  'IMAGES/Cat 1.JPG',
  '/home/me/set/images/cat 1.jpg',
  'C:\\Users\\me\\images\\cat 1.jpg',
  'c:/images/cat 1.jpg',
  '\\\\server\\share\\images\\cat 1.jpg',
  '..\\..\\label-studio\\media\\upload\\4\\cat 1.jpg',
  '/data/local-files/?d=images/cat 1.jpg',
  '/data/local-files/?d=set%2Fimages%2Fcat%201.jpg&x=1',
  'http://localhost:8080/data/local-files/?d=images%5Ccat%201.jpg',
  'https://example.org/a/images/cat%201.jpg?token=a/b.jpg',
  's3://bucket/images/cat 1.jpg',
  'file:///home/me/images/cat%201.jpg',
  'file:///C:/images/cat%201.jpg',
  '/data/upload/4/0a1b2c3d-cat 1.jpg',
];

for (const name of SPELLINGS) {
  test(`found: ${name}`, () => {
    assert.equal(
      new FileIndex(FILES).find(name).map(({ file }) => file),
      ['images/cat 1.jpg'],
    );
  });
}

test('either Unicode form is found in either', () => {
  for (const form of ['NFC', 'NFD']) {
    const index = new FileIndex([`a/caf\u00e9.jpg`.normalize(form)]);
    for (const other of ['NFC', 'NFD']) assert.is(index.find('a\\caf\u00e9.jpg'.normalize(other)).length, 1);
  }
});

test('what names another folder, or a folder that is here without the file, is not found', () => {
  const index = new FileIndex(FILES);
  for (const name of [
    'val/002.jpg',
    'other/002.jpg',
    '/home/me/val/002.jpg',
    'cat 1.png',
    '2.jpg',
    '',
    '/',
    '?',
    '..',
  ]) {
    assert.equal(index.find(name), [], name);
  }
  assert.is(index.near('val/002.jpg'), 'train/002.jpg');
  assert.is(index.near('cat 1.png'), 'images/cat 1.jpg');
  assert.is(index.near('cat 2.png'), undefined);
});

test('the longest end decides; where it is that of several, all are named', () => {
  const index = new FileIndex(['a/1/x.jpg', 'b/1/x.jpg', 'b/2/x.jpg', 'c/Y.jpg', 'd/y.jpg']);
  const files = (name: string): string[] => index.find(name).map(({ file }) => file);
  assert.equal(files('C:\\b\\1\\x.jpg'), ['b/1/x.jpg']);
  assert.equal(files('2/x.jpg'), ['b/2/x.jpg']);
  assert.equal(files('1/x.jpg'), ['a/1/x.jpg', 'b/1/x.jpg']);
  assert.equal(files('x.jpg').length, 3);
  assert.equal(files('y.jpg'), ['d/y.jpg']);
});

test('names that differ in more than spelling keep different identities', () => {
  const identity = (name: string): string => cleanNames(name)[0].identity;
  for (const name of ['a\\b.jpg', './a/b.jpg', 'a//b.jpg', 'a/b.jpg ']) assert.is(identity(name), 'a/b.jpg');
  const others = [
    'A/b.jpg',
    '/a/b.jpg',
    'C:/a/b.jpg',
    'D:/a/b.jpg',
    'http://x/a/b.jpg',
    'http://y/a/b.jpg',
    '../a/b.jpg',
  ];
  assert.is(new Set(['a/b.jpg', ...others].map(identity)).size, others.length + 1);
});

test('any name is looked up without an error and gives files of the folder alone', () => {
  const part = fc.oneof(fc.constantFrom('..', '.', '/', '\\', '%2e', '?d=', 'C:', 'http://', ...FILES), fc.string());
  const index = new FileIndex(FILES);
  fc.assert(
    fc.property(fc.array(part), (parts) => {
      for (const { file } of index.find(parts.join(''))) assert.ok(FILES.includes(file));
    }),
  );
});

test.run();
