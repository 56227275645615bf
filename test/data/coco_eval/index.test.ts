import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Figure } from '../../../src/data/coco_eval/accumulate.js';
import { evaluateCoco, STAT_NAMES } from '../../../src/data/coco_eval/index.js';
import type { CocoDataset, CocoDetection } from '../../../src/detect/coco.js';
import { datasets, problems } from './arbitrary.js';

const test = suite('COCO metrics');

const close = (a: readonly Figure[], b: readonly Figure[]) =>
  a.every((value, i) => Math.abs((value ?? -1) - (b[i] ?? -1)) < 1e-12);

test('finding everything gives 1 wherever there is something to find', () => {
  fc.assert(
    fc.property(datasets({ crowds: false }), (dataset) => {
      const detections = dataset.annotations.map(({ id, area, iscrowd, ...own }) => ({ ...own, score: 0.5 }));
      const { stats, categories } = evaluateCoco(dataset, detections);
      for (const name of ['AP', 'AP50', 'AP75', 'APs', 'APm', 'APl', 'AR100', 'ARs', 'ARm', 'ARl'] as const) {
        const value = stats[STAT_NAMES.indexOf(name)];
        assert.ok(value === null || Math.abs(value - 1) < 1e-9, `${name} is ${value}`);
      }
      for (const { ap, objects } of categories) assert.ok(ap === null ? objects === 0 : Math.abs(ap - 1) < 1e-9);
    }),
  );
});

test('the order of images and detections does not matter', () => {
  const shuffled = problems.chain(([dataset, detections]) =>
    fc.tuple(
      fc.constant([dataset, detections] as const),
      fc.shuffledSubarray(dataset.images, { minLength: dataset.images.length }),
      fc.shuffledSubarray(detections, { minLength: detections.length }),
    ),
  );
  fc.assert(
    fc.property(shuffled, ([[dataset, detections], images, mixed]) => {
      assert.equal(evaluateCoco({ ...dataset, images }, mixed).stats, evaluateCoco(dataset, detections).stats);
    }),
  );
});

test('only the order of the scores matters', () => {
  fc.assert(
    fc.property(problems, ([dataset, detections]) => {
      const squared = detections.map((detection) => ({ ...detection, score: detection.score ** 2 }));
      assert.equal(evaluateCoco(dataset, squared).stats, evaluateCoco(dataset, detections).stats);
    }),
  );
});

test('a wrong detection with the lowest score raises nothing', () => {
  fc.assert(
    fc.property(problems, fc.constantFrom(1, 4, 7), ([dataset, detections], category_id) => {
      const wrong: CocoDetection = { image_id: 1, category_id, bbox: [-90, -90, 40, 40], score: 1e-6 };
      const before = evaluateCoco(dataset, detections).stats;
      const after = evaluateCoco(dataset, [...detections, wrong]).stats;
      STAT_NAMES.forEach((name, i) => {
        assert.is(after[i] === null, before[i] === null);
        assert.ok(Number(after[i]) <= Number(before[i]) + 1e-12, name);
      });
    }),
  );
});

test('a wrong detection of higher score than a right one costs precision', () => {
  const dataset = single([0, 0, 50, 50]);
  const right = { image_id: 1, category_id: 1, bbox: [0, 0, 50, 50] as CocoDetection['bbox'], score: 0.5 };
  const wrong = { ...right, bbox: [100, 100, 50, 50] as CocoDetection['bbox'] };
  assert.ok(close(evaluateCoco(dataset, [right, { ...wrong, score: 0.9 }]).stats.slice(0, 2), [0.5, 0.5]));
  assert.ok(close(evaluateCoco(dataset, [right, { ...wrong, score: 0.1 }]).stats.slice(0, 2), [1, 1]));
});

test('a crowd neither counts as an object nor makes detections in it wrong', () => {
  fc.assert(
    fc.property(datasets({ crowds: false }), (dataset) => {
      const detections = dataset.annotations.map(({ id, area, iscrowd, ...own }) => ({ ...own, score: 0.5 }));
      const crowd = {
        id: 0,
        image_id: 1,
        category_id: 1,
        bbox: [500, 500, 100, 100] as CocoDetection['bbox'],
        area: 1e4,
      };
      const inside = [0, 1].map((i) => ({
        image_id: 1,
        category_id: 1,
        bbox: [510 + i, 510, 9, 9] as CocoDetection['bbox'],
        score: 0.9,
      }));
      const crowded: CocoDataset = { ...dataset, annotations: [...dataset.annotations, { ...crowd, iscrowd: 1 }] };
      const figures = (stats: Figure[]) => stats.filter((_, i) => !['AR1', 'AR10'].includes(STAT_NAMES[i]));
      const alone = evaluateCoco(dataset, detections).stats;
      // Detections in a crowd do use up places among the best 1 and 10.
      assert.equal(figures(evaluateCoco(crowded, [...inside, ...detections]).stats), figures(alone));
    }),
  );
});

test('of one image and category the best hundred count', () => {
  const dataset = single([0, 0, 50, 50]);
  const wrong = Array.from({ length: 100 }, () => ({
    image_id: 1,
    category_id: 1,
    bbox: [90, 90, 9, 9] as CocoDetection['bbox'],
    score: 0.9,
  }));
  const right: CocoDetection = { image_id: 1, category_id: 1, bbox: [0, 0, 50, 50], score: 0.5 };
  assert.is(evaluateCoco(dataset, [right, ...wrong]).stats[0], 0);
  assert.ok(Number(evaluateCoco(dataset, [right, ...wrong.slice(1)]).stats[0]) > 0);
});

test('without objects every figure is absent, without detections 0', () => {
  const dataset = single([0, 0, 50, 50]);
  const { stats, categories } = evaluateCoco({ ...dataset, annotations: [] }, []);
  assert.equal(stats, new Array(12).fill(null));
  assert.is(categories[0].ap, null);
  assert.equal(evaluateCoco(dataset, []).stats, [0, 0, 0, null, 0, null, 0, 0, 0, null, 0, null]);
});

test('what is not in the dataset is left out', () => {
  const dataset = single([0, 0, 50, 50]);
  const right: CocoDetection = { image_id: 1, category_id: 1, bbox: [0, 0, 50, 50], score: 0.5 };
  const stray = { ...right, category_id: 2, score: 0.9 };
  assert.ok(close(evaluateCoco(dataset, [stray, right]).stats, evaluateCoco(dataset, [right]).stats));
});

/** One image with one object of category 1. */
function single(bbox: CocoDetection['bbox']): CocoDataset {
  return {
    images: [{ id: 1, file_name: '1.jpg', width: 200, height: 200 }],
    categories: [{ id: 1, name: 'a' }],
    annotations: [{ id: 1, image_id: 1, category_id: 1, bbox, area: bbox[2] * bbox[3], iscrowd: 0 }],
  };
}

test.run();
