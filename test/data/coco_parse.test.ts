import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../src/base/errors.js';
import { listCategories, listImages, parseCoco } from '../../src/data/coco_parse.js';
import { Validation } from '../../src/data/validation.js';

const test = suite('coco_parse');

const image = { id: 1, file_name: 'a.jpg', width: 4, height: 3 };
const sound = { images: [image], annotations: [], categories: [{ id: 1, name: 'cat' }] };

function refused(work: () => unknown, pattern: RegExp): void {
  try {
    work();
  } catch (error) {
    assert.instance(error, UserError);
    assert.match((error as Error).message, pattern);
    return;
  }
  assert.unreachable('should have been refused');
}

test('what is not JSON or not COCO is refused with file and field', () => {
  const parse = (text: string) => () => parseCoco(text, 'x.json');
  refused(parse(''), /^x\.json: expected valid JSON/);
  refused(parse('{"images": [}'), /^x\.json: expected valid JSON/);
  refused(parse(JSON.stringify(sound).slice(0, -9)), /^x\.json: expected valid JSON/);
  refused(parse('[{"image_id": 1}]'), /^x\.json: expected a COCO object .*an array/);
  refused(parse('3'), /^x\.json: expected a COCO object/);
  for (const field of ['images', 'annotations', 'categories']) {
    refused(
      parse(JSON.stringify({ ...sound, [field]: undefined })),
      new RegExp(`^x\\.json: ${field}: expected an array`),
    );
    refused(parse(JSON.stringify({ ...sound, [field]: {} })), new RegExp(`^x\\.json: ${field}: expected an array`));
  }
  refused(parse(JSON.stringify({ ...sound, images: [] })), /^x\.json: images: expected at least one entry/);
});

test("Python's bare NaN and Infinity are null, strings that hold them are left alone", () => {
  const text = String.raw`{"images": [{"file_name": "NaN, \"-Infinity\" \\"}], "categories": [NaN],
    "annotations": [{"bbox": [NaN, -Infinity,Infinity,1e999]}]}`;
  const raw = parseCoco(text, 'x.json');
  assert.equal(raw.images, [{ file_name: 'NaN, "-Infinity" \\' }]);
  assert.equal(raw.annotations, [{ bbox: [null, null, null, Number.POSITIVE_INFINITY] }]);
});

test('any strings survive beside a NaN', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' })), (names) => {
      const text = JSON.stringify({ ...sound, images: [...names, 'mark'] }).replace('"mark"', 'NaN');
      assert.equal(parseCoco(text, 'x.json').images, [...names, null]);
    }),
  );
});

test('a byte order mark is skipped', () => {
  assert.equal(parseCoco(`\uFEFF${JSON.stringify(sound)}`, 'x.json').images, [image]);
});

test('image entries that cannot be used are dropped and listed', () => {
  const validation = new Validation();
  const bad = [null, 7, { ...image, id: '1' }, { ...image, id: 1.5 }, { ...image, id: 9, file_name: '' }, { id: 9 }];
  const images = listImages(
    [...bad, image, { ...image, file_name: 'b.jpg' }, { id: 2, file_name: 'c.jpg', width: -3 }],
    'x.json',
    validation,
  );
  assert.equal(
    images.map(({ id, file_name, width, height }) => [id, file_name, width, height]),
    [
      [1, 'a.jpg', 4, 3],
      [2, 'c.jpg', 0, 0],
    ],
  );
  assert.is(validation.report.counts.malformedImage, bad.length);
  assert.is(validation.report.counts.duplicateImageId, 1);
  assert.equal(validation.report.items.at(-1), {
    kind: 'duplicateImageId',
    where: 'images[7] b.jpg',
    action: 'dropped',
    detail: 'id 1',
  });
});

test('category entries likewise; none usable is an error', () => {
  const validation = new Validation();
  const categories = listCategories(
    [{ id: 3, name: 'dog', supercategory: 'animal', x: 1 }, { id: 3, name: 'fox' }, { id: 4 }],
    'x.json',
    validation,
  );
  assert.equal(categories, [{ id: 3, name: 'dog', supercategory: 'animal' }]);
  assert.equal([validation.report.counts.duplicateCategoryId, validation.report.counts.malformedCategory], [1, 1]);
  refused(() => listCategories([{ id: 'a', name: 'dog' }], 'x.json', new Validation()), /x\.json: categories\[0\]/);
});

test.run();
