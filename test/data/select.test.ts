import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../src/base/errors.js';
import type { CocoAnnotation, CocoDataset } from '../../src/data/coco.js';
import { selectCategories } from '../../src/data/select.js';

const test = suite('select');

const NAMES = ['person', 'bicycle', 'car', 'bus', 'truck'];

/** Ids of the categories are 10, 20, …; each has at least one object. */
const datasets = fc
  .array(fc.array(fc.nat(NAMES.length - 1), { maxLength: 5 }), { minLength: 1, maxLength: 12 })
  .map((pictures): CocoDataset => {
    const boxes = [...pictures, NAMES.map((_, i) => i)].flatMap((kinds, picture) =>
      kinds.map((kind) => ({ picture, kind })),
    );
    return {
      images: [...pictures, []].map((_, i) => ({ id: i + 1, file_name: `${i + 1}.jpg`, width: 64, height: 64 })),
      annotations: boxes.map(
        ({ picture, kind }, i): CocoAnnotation => ({
          id: i + 1,
          image_id: picture + 1,
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

test('a category without objects is named; a crowd is no object', () => {
  const busless = { ...sample, annotations: sample.annotations.filter(({ category_id }) => category_id !== 40) };
  refuses(busless, ['car', 'bus'], /none of bus"/);
  refuses(busless, null, /none of bus"/);
  const crowd = {
    ...sample,
    annotations: sample.annotations.map((a) => ({ ...a, iscrowd: a.category_id === 50 ? (1 as const) : a.iscrowd })),
  };
  refuses(crowd, ['truck'], /none of truck"/);
  assert.is(selectCategories(busless, ['car'], true).categories.length, 1);
});

test.run();
