import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { listImages } from '../../../src/data/coco/images.js';
import { Validation } from '../../../src/data/validation.js';

const test = suite('coco_images');

const image = { id: 1, file_name: 'a.jpg', width: 4, height: 3 };

function list(entries: unknown[]) {
  const validation = new Validation();
  const { images, dropped } = listImages(entries, validation);
  const { items, counts } = validation.report;
  return { images, dropped, counts, kinds: items.map(({ kind, action, where }) => [kind, action, where]) };
}

test('entries that cannot be used are dropped and listed', () => {
  const bad = [null, 7, { ...image, id: 1.5 }, { ...image, id: null }, { ...image, id: 9, file_name: '' }, { id: 10 }];
  const { images, kinds, dropped } = list([...bad, image, { id: 2, file_name: 'c.jpg', width: -3 }]);
  assert.equal(
    images.map(({ id, file_name, width, height }) => [id, file_name, width, height]),
    [
      [1, 'a.jpg', 4, 3],
      [2, 'c.jpg', 0, 0],
    ],
  );
  assert.equal(
    kinds,
    bad.map((_, i) => ['malformedImage', 'dropped', `images[${i}]`]),
  );
  assert.equal([...dropped], [9, 10]);
});

test('an id of several images drops all of them; an entry repeated word for word is one image', () => {
  const { images, kinds, dropped } = list([
    image,
    { ...image, id: 2, file_name: 'b.jpg' },
    { ...image, file_name: 'c.jpg' },
    { ...image, id: 3 },
    { ...image, id: '3' },
    { ...image, id: 4, width: 5 },
    { ...image, id: 4 },
  ]);
  assert.equal(
    images.map(({ id }) => id),
    [2, 3],
  );
  assert.equal([...dropped], [1, 4]);
  assert.equal(kinds, [
    ['duplicateImageId', 'dropped', 'images[0] a.jpg'],
    ['duplicateImageId', 'dropped', 'images[2] c.jpg'],
    ['repeatedImage', 'fixed', 'images[4] a.jpg'],
    ['duplicateImageId', 'dropped', 'images[5] a.jpg'],
    ['duplicateImageId', 'dropped', 'images[6] a.jpg'],
  ]);
});

test('text and long ids get numbers of their own, told', () => {
  const { images, kinds, counts } = list(['x', 5, '6', '1234567890123456789'].map((id) => ({ ...image, id })));
  assert.equal(
    images.map(({ key, id }) => [key, id]),
    [
      ['x', 7],
      [5, 5],
      [6, 6],
      ['1234567890123456789', 8],
    ],
  );
  assert.equal(
    kinds.map(([kind, action]) => [kind, action]),
    [
      ['renumberedId', 'fixed'],
      ['renumberedId', 'fixed'],
    ],
  );
  assert.is(counts.textId, 1);
});

test('whatever the entries, no id is left that two different images had', () => {
  const entry = fc.record({
    id: fc.oneof(fc.integer({ min: -2, max: 4 }), fc.constantFrom('1', '2', 'a', null)),
    file_name: fc.constantFrom('a.jpg', 'b.jpg', ''),
  });
  fc.assert(
    fc.property(fc.array(entry), (entries) => {
      const { images, dropped } = list(entries);
      for (const { key, file_name } of images) {
        assert.not.ok(dropped.has(key));
        const same = entries.filter(({ id }) => String(id) === String(key));
        assert.ok(same.every((other) => other.file_name === file_name));
      }
      assert.is(new Set(images.map(({ id }) => id)).size, images.length);
    }),
  );
});

test.run();
