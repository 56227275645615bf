import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import type { CocoAnnotation, CocoDataset } from '../../../src/detect/coco.js';
import { matchCategories, toCategories } from '../../../src/pipeline/evaluation/match_categories.js';

const test = suite('match categories');

/** A dataset of these category names, with an object of each of some ids. */
function datasetOf(names: readonly string[], withObjects: readonly number[] = []): CocoDataset {
  const annotations = withObjects.map(
    (category_id, i): CocoAnnotation => ({ id: i, image_id: 1, category_id, bbox: [0, 0, 1, 1], area: 1, iscrowd: 0 }),
  );
  return { images: [], annotations, categories: names.map((name, i) => ({ id: 10 + i, name })) };
}

const refusal = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    assert.instance(error, UserError);
    return (error as UserError).message;
  }
  return assert.unreachable('it matched') as never;
};

test('classes find the categories of their names, whatever the order; the others of both sides are told', () => {
  const match = matchCategories(['cat', 'dog', 'cow'], datasetOf(['horse', 'dog', 'cat']));
  assert.equal(match, { indexOf: [2, 1, -1], unknownToModel: ['horse'], unknownToDataset: ['cow'] });
});

test('of several categories of a name, the one with objects is meant', () => {
  assert.equal(matchCategories(['cat'], datasetOf(['cat', 'cat', 'dog'], [11])).indexOf, [1]);
  assert.equal(matchCategories(['cat'], datasetOf(['cat', 'cat'])).indexOf, [0]);
  assert.match(
    refusal(() => matchCategories(['cat'], datasetOf(['cat', 'cat'], [10, 11]))),
    /10 cat, 11 cat/,
  );
});

test('names without one in common are refused, with those of both sides', () => {
  assert.match(
    refusal(() => matchCategories(['cat', 'dog'], datasetOf(['Cat', 'horse']))),
    /cat, dog.*Cat, horse/,
  );
});

test('every class has a category or is told, and detections keep what is known', () => {
  const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), { minLength: 1 });
  fc.assert(
    fc.property(names, names, (classes, categories) => {
      fc.pre(classes.some((name) => categories.includes(name)));
      const match = matchCategories(classes, datasetOf(categories));
      for (const [i, name] of classes.entries()) {
        assert.is(match.indexOf[i], categories.indexOf(name));
        assert.is(match.unknownToDataset.includes(name), match.indexOf[i] < 0);
      }
      for (const name of categories) assert.is(match.unknownToModel.includes(name), !classes.includes(name));
      const detections = classes.map((_, classIndex) => ({
        box: [0, 0, 1, 1] as [number, number, number, number],
        classIndex,
        score: classIndex / 10,
      }));
      const kept = toCategories(detections, match);
      assert.equal(
        kept.map(({ classIndex }) => categories[classIndex]),
        classes.filter((name) => categories.includes(name)),
      );
    }),
  );
});

test.run();
