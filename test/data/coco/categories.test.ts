import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { listCategories } from '../../../src/data/coco/categories.js';
import { Validation } from '../../../src/data/validation.js';

const test = suite('coco_categories');

function list(entries: unknown[], used: unknown[] = []) {
  const validation = new Validation();
  const annotations = used.map((category_id) => ({ category_id }));
  const { categories, byKey, dropped } = listCategories(entries, annotations, validation);
  const { items, counts } = validation.report;
  const kinds = items.map(({ kind, action, where }) => [kind, action, where]);
  return { categories, ids: [...byKey].map(([key, { id }]) => [key, id]), dropped: [...dropped], kinds, counts, items };
}

test('an id of several names drops all of them; what is repeated word for word is one', () => {
  const dog = { id: 3, name: 'dog', supercategory: 'animal' };
  const { categories, dropped, kinds } = list([
    { ...dog, x: 1 },
    { id: 5, name: 'cat' },
    { id: 5, name: 'fox' },
    { id: 4 },
    { ...dog, id: '3' },
  ]);
  assert.equal(categories, [dog]);
  assert.equal(dropped, [4, 5]);
  assert.equal(kinds, [
    ['malformedCategory', 'dropped', 'categories[3]'],
    ['repeatedCategory', 'fixed', 'categories[4] dog'],
    ['duplicateCategoryId', 'dropped', 'categories[1] cat'],
    ['duplicateCategoryId', 'dropped', 'categories[2] fox'],
  ]);
});

test('ids of one name are one class, under the id with most annotations', () => {
  const entries = [
    { id: 0, name: 'car', supercategory: 'none' },
    { id: 1, name: 'car', supercategory: 'car' },
    { id: 2, name: 'bus' },
  ];
  const { categories, ids, items } = list(entries, [1, 1, '0', 2]);
  assert.equal(categories, [
    { id: 1, name: 'car', supercategory: 'car' },
    { id: 2, name: 'bus' },
  ]);
  assert.equal(ids, [
    [0, 1],
    [1, 1],
    [2, 2],
  ]);
  assert.equal(
    items.map(({ kind, detail }) => [kind, detail]),
    [['duplicateCategoryName', 'id 0: 1 annotations, id 1: 2 annotations']],
  );
});

test('text ids are numbered; names that hardly differ are told', () => {
  const { categories, kinds, items } = list([
    { id: 'a', name: 'Stop sign' },
    { id: 7, name: 'stop_sign ' },
    { id: 8, name: 'caf\u00e9' },
    { id: 9, name: 'cafe\u0301' },
    { id: 10, name: 'bus' },
  ]);
  assert.equal(
    categories.map(({ id }) => id),
    [11, 7, 8, 9, 10],
  );
  assert.equal(
    kinds.map(([kind, action]) => [kind, action]),
    [
      ['renumberedId', 'fixed'],
      ['similarCategoryName', 'noted'],
      ['similarCategoryName', 'noted'],
    ],
  );
  assert.is(items[1].detail, 'and "stop_sign "');
});

test.run();
