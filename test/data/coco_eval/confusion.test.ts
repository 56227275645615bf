import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { classifyOutcomes, confusionMatrix } from '../../../src/data/coco_eval/confusion.js';
import type { Box } from '../../../src/detect/box.js';
import type { CocoDataset } from '../../../src/detect/coco.js';
import { problems } from './arbitrary.js';

const test = suite('confusion');

const categories = ['cat', 'dog'].map((name, i) => ({ id: 10 * (i + 1), name }));
const annotation = (id: number, category_id: number, bbox: Box, iscrowd: 0 | 1 = 0) => ({
  id,
  image_id: 1,
  category_id,
  bbox,
  area: bbox[2] * bbox[3],
  iscrowd,
});
const detection = (category_id: number, bbox: Box, score = 0.9) => ({ image_id: 1, category_id, bbox, score });
const dataset: CocoDataset = {
  images: [1, 2].map((id) => ({ id, file_name: `${id}.jpg`, width: 500, height: 500 })),
  categories,
  annotations: [
    annotation(1, 10, [0, 0, 40, 40]),
    annotation(2, 20, [100, 0, 40, 40]),
    annotation(3, 20, [200, 0, 40, 40]),
    annotation(4, 10, [300, 300, 90, 90], 1),
  ],
};

test('each object and detection has one outcome', () => {
  const detections = [
    detection(10, [1, 0, 40, 40]),
    detection(10, [101, 0, 40, 40]),
    detection(20, [0, 200, 40, 40]),
    detection(10, [310, 310, 20, 20]),
    detection(20, [200, 0, 40, 40], 0.1),
  ];
  const outcomes = classifyOutcomes(dataset, detections, { confidence: 0.5 });
  const kinds = outcomes.get(1)?.map((outcome) => [outcome.kind, 'object' in outcome ? outcome.object.id : 0]);
  assert.equal(kinds, [
    ['hit', 1],
    ['confused', 2],
    ['false alarm', 0],
    ['miss', 3],
  ]);
  assert.equal(outcomes.get(2), []);
  assert.equal(confusionMatrix(outcomes.values(), categories), [
    [1, 0, 0],
    [1, 0, 1],
    [0, 1, 0],
  ]);
});

test('an object goes to its own category before another takes it', () => {
  const detections = [detection(20, [0, 0, 40, 40], 0.9), detection(10, [2, 2, 40, 40], 0.6)];
  const kinds = classifyOutcomes(dataset, detections, { confidence: 0.5 })
    .get(1)
    ?.map(({ kind }) => kind);
  assert.equal(kinds?.slice(0, 2), ['hit', 'false alarm']);
});

test('rows add up to objects, columns to detections', () => {
  fc.assert(
    fc.property(problems, fc.double({ min: 0, max: 1, noNaN: true }), ([all, detections], confidence) => {
      const crowdless = { ...all, annotations: all.annotations.filter(({ iscrowd }) => !iscrowd) };
      const outcomes = classifyOutcomes(crowdless, detections, { confidence });
      const matrix = confusionMatrix(outcomes.values(), crowdless.categories);
      const kept = detections.filter(({ score }) => score >= confidence);
      const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
      crowdless.categories.forEach(({ id }, i) => {
        assert.is(sum(matrix[i]), crowdless.annotations.filter(({ category_id }) => category_id === id).length);
        assert.is(sum(matrix.map((row) => row[i])), kept.filter(({ category_id }) => category_id === id).length);
      });
    }),
  );
});

test.run();
