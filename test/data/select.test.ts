import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../src/base/errors.js';
import { selectCategories as select } from '../../src/data/select.js';
import { Validation } from '../../src/data/validation.js';
import type { CocoAnnotation, CocoDataset } from '../../src/detect/coco.js';

const test = suite('select');

const { report: CLEAN } = new Validation();
const selectCategories = (dataset: CocoDataset, names: string[] | null, keepEmpty: boolean) =>
  select(dataset, names, keepEmpty, CLEAN).dataset;

const NAMES = ['person', 'bicycle', 'car', 'bus', 'truck'];

/** Ids of the categories are 10, 20, …; each has at least one object. */
const datasets = fc
  .array(fc.array(fc.nat(NAMES.length - 1), { maxLength: 5 }), { minLength: 1, maxLength: 12 })
  .map((images): CocoDataset => {
    const boxes = [...images, NAMES.map((_, i) => i)].flatMap((kinds, image) => kinds.map((kind) => ({ image, kind })));
    return {
      images: [...images, []].map((_, i) => ({ id: i + 1, file_name: `${i + 1}.jpg`, width: 64, height: 64 })),
      annotations: boxes.map(
        ({ image, kind }, i): CocoAnnotation => ({
          id: i + 1,
          image_id: image + 1,
          category_id: (kind + 1) * 10,
          bbox: [1, 2, 3, 4],
          area: 12,
          iscrowd: 0,
        }),
      ),
      categories: NAMES.map((name, i) => ({ id: (i + 1) * 10, name, supercategory: 'thing' })),
    };
  });
const selections = fc.shuffledSubarray(NAMES, { minLength: 1 });

test('chosen categories get 1…n in the given order, and keep exactly their objects', () => {
  fc.assert(
    fc.property(datasets, selections, fc.boolean(), (dataset, names, keepEmpty) => {
      const before = structuredClone(dataset);
      const selected = selectCategories(dataset, names, keepEmpty);
      assert.equal(dataset, before);
      assert.equal(
        selected.categories.map(({ id, name, old_id }) => [id, name, old_id]),
        names.map((name, i) => [i + 1, name, (NAMES.indexOf(name) + 1) * 10]),
      );
      const oldIds = new Map(selected.categories.map(({ id, old_id }) => [id, old_id]));
      const restored = selected.annotations.map((a) => ({ ...a, category_id: oldIds.get(a.category_id) }));
      assert.equal(
        restored,
        dataset.annotations.filter(({ category_id: id }) => names.includes(NAMES[id / 10 - 1])),
      );
      const occupied = new Set(selected.annotations.map(({ image_id }) => image_id));
      assert.equal(selected.images, keepEmpty ? dataset.images : dataset.images.filter(({ id }) => occupied.has(id)));
    }),
  );
});

test('null keeps every category in its order', () => {
  fc.assert(
    fc.property(datasets, (dataset) => {
      assert.equal(selectCategories(dataset, null, true), selectCategories(dataset, NAMES, true));
    }),
  );
});

const [sample] = fc.sample(datasets, { numRuns: 1, seed: 1 });
const refuses = (dataset: CocoDataset, names: string[] | null, message: RegExp) =>
  assert.throws(
    () => selectCategories(dataset, names, true),
    (error: Error) => error instanceof UserError && message.test(error.message),
  );

test('an unknown name is answered with the nearest one', () =>
  refuses(sample, ['car', 'bicicle'], /categories\[1\].*"bicicle".*Did you mean "bicycle"/));
test('a repeated name is refused', () => refuses(sample, ['car', 'car'], /categories\[1\].*once/));

const without = (id: number): CocoDataset => ({
  ...sample,
  annotations: sample.annotations.filter(({ category_id }) => category_id !== id),
});
const asCrowds = (id: number): CocoDataset => ({
  ...sample,
  annotations: sample.annotations.map((a) => ({ ...a, iscrowd: a.category_id === id ? 1 : a.iscrowd })),
});

test('a named category without objects is refused with the cause', () => {
  refuses(without(40), ['car', 'bus'], /none of bus"\. No annotation is of bus: annotate it, or leave it out/);
  refuses(asCrowds(50), ['truck'], /none of truck"\. All \d+ annotations of truck are crowds.*prep\.crowd: keep/);
  assert.is(selectCategories(without(40), ['car'], true).categories.length, 1);
});

test('without names such a category is left out with a notice', () => {
  const { dataset, notices } = select(without(40), null, true, CLEAN);
  assert.equal(dataset, selectCategories(without(40), ['person', 'bicycle', 'car', 'truck'], true));
  assert.equal(notices, ['left out as they have no object: bus']);
  assert.match(
    select(asCrowds(50), null, true, CLEAN).notices.join(),
    /no object: truck,All \d+ annotations of truck are/,
  );
  assert.equal(select(sample, null, true, CLEAN).notices, []);
});

test('when data-load dropped all annotations, its commonest reason is given', () => {
  const validation = new Validation();
  validation.dropped('emptyBox', 'annotations[0] id 1', '1 2 0 3', 'bus');
  validation.dropped('annotationOfDropped', 'annotations[1] id 2', 'image_id 7', 'bus');
  validation.dropped('annotationOfDropped', 'annotations[2] id 3', 'image_id 7', 'bus');
  validation.dropped('emptyBox', 'annotations[3] id 4', '1 2 0 3', 'car');
  validation.dropped('missingImage', 'images[0] a.jpg');
  const cause =
    /data-load dropped all 3 annotations of bus: 2 × annotation of an image.*; 1 × image file not found: images\[0\] a\.jpg\. Write file names/;
  assert.throws(
    () => select(without(40), ['bus'], true, validation.report),
    (error: Error) => error instanceof UserError && cause.test(error.message),
  );
  const bare = { ...sample, annotations: [] };
  refuses(bare, null, /none of person, bicycle, car, bus, truck"\. No annotation is of person, bicycle/);
});

test.run();
