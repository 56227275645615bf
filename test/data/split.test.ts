import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../src/base/errors.js';
import { SPLITS, type Split, type SplitImage, stratifiedSplit } from '../../src/data/split.js';

const test = suite('split');

const SHARES = { train: 0.6, val: 0.15, test: 0.25 };

const alone = (labels: readonly number[], group: number): SplitImage => ({ labels, group });
const labelSets = fc.uniqueArray(fc.nat(5), { maxLength: 4 });
const images = fc.array(labelSets, { minLength: 40, maxLength: 120 }).map((sets) => sets.map(alone));

test('the same seed splits the same way, another one differently', () => {
  fc.assert(
    fc.property(images, fc.nat(), (list, seed) => {
      const splits = stratifiedSplit(list, SHARES, seed);
      assert.equal(stratifiedSplit(list, SHARES, seed), splits);
      assert.is(splits.length, list.length);
      const others = [1, 2, 3].map((step) => stratifiedSplit(list, SHARES, seed + step));
      assert.ok(others.some((other) => other.some((split, i) => split !== splits[i])));
    }),
    { numRuns: 40 },
  );
});

test('one class per image, or none: every split gets its share of each, to less than two images', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -1, max: 4 }), { minLength: 40, maxLength: 150 }),
      fc.nat(),
      (classes, seed) => {
        const splits = stratifiedSplit(
          classes.map((label, i) => alone(label < 0 ? [] : [label], i)),
          SHARES,
          seed,
        );
        for (const label of new Set(classes)) {
          const own = splits.filter((_, i) => classes[i] === label);
          for (const split of SPLITS) assert.ok(Math.abs(countOf(own, split) - SHARES[split] * own.length) < 2);
        }
      },
    ),
  );
});

test('with several classes per image the shares of images hold within a few', () => {
  fc.assert(
    fc.property(images, fc.nat(), (list, seed) => {
      const splits = stratifiedSplit(list, SHARES, seed);
      for (const split of SPLITS)
        assert.ok(Math.abs(countOf(splits, split) - SHARES[split] * list.length) <= 0.1 * list.length + 2);
    }),
  );
});

test('a group is never torn apart', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(labelSets, fc.nat(30)), { minLength: 60, maxLength: 120 }),
      fc.nat(),
      (list, seed) => {
        const splits = stratifiedSplit(
          list.map(([labels, group]) => ({ labels, group })),
          SHARES,
          seed,
        );
        const ofGroup = new Map(list.map(([, group], i) => [group, splits[i]]));
        for (const [i, [, group]] of list.entries()) assert.is(splits[i], ofGroup.get(group));
      },
    ),
    { numRuns: 50 },
  );
});

test('train has every class; val and test an object where there are enough groups', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.uniqueArray(fc.nat(9), { maxLength: 2 }), fc.nat(40)), { minLength: 8, maxLength: 60 }),
      fc.constantFrom(SHARES, { train: 0.05, val: 0.05, test: 0.9 }, { train: 0.9, val: 0.05, test: 0.05 }),
      fc.nat(),
      (list, shares, seed) => {
        const background = [100, 101, 102].map((group) => alone([], group));
        const items = [...list.map(([labels, group]) => ({ labels, group })), ...background];
        const splits = stratifiedSplit(items, shares, seed);
        const labelsIn = (split: Split) =>
          new Set(items.flatMap(({ labels }, i) => (splits[i] === split ? labels : [])));
        const all = new Set(items.flatMap(({ labels }) => labels));
        assert.equal([...labelsIn('train')].sort(), [...all].sort());
        // What train can spare: groups each of whose labels another group has as well.
        const groups = [...new Set(items.filter(({ labels }) => labels.length > 0).map(({ group }) => group))];
        const inTrain = groups.filter((group) => splits[items.findIndex((item) => item.group === group)] === 'train');
        const labelsOf = (group: number) =>
          items.filter((item) => item.group === group).flatMap(({ labels }) => labels);
        const spare = inTrain.some((group) =>
          labelsOf(group).every((label) => inTrain.some((other) => other !== group && labelsOf(other).includes(label))),
        );
        if (spare) for (const split of ['val', 'test'] as const) assert.ok(labelsIn(split).size > 0, split);
      },
    ),
  );
});

test('three images are one for each split', () => {
  assert.equal(
    stratifiedSplit(
      [0, 1, 2].map((i) => alone([1], i)),
      SHARES,
      1,
    ).sort(),
    ['test', 'train', 'val'],
  );
});

test('an empty split is refused with what to do', () => {
  const refuses = (list: SplitImage[], shares: Record<Split, number>, message: RegExp) =>
    assert.throws(
      () => stratifiedSplit(list, shares, 1),
      (error: Error) => error instanceof UserError && message.test(error.message),
    );
  refuses([alone([1], 0), alone([1], 1)], SHARES, /prep\.split\.val.*2 images, none of them for val.*Add images/);
  refuses(
    Array.from({ length: 50 }, () => alone([1], 7)),
    SHARES,
    /none of them for val and test.*Add images/,
  );
  refuses(
    Array.from({ length: 50 }, (_, i) => alone([1], i)),
    { train: 0.8, val: 0.2, test: 0 },
    /prep\.split\.test/,
  );
});

const countOf = (splits: readonly Split[], wanted: Split) => splits.filter((split) => split === wanted).length;

test.run();
