import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { classifyOutcomes, type Outcome } from '../../src/data/coco_eval/confusion.js';
import { chooseImages, describeOutcomes } from '../../src/report/outcome_images.js';
import { problems } from '../data/coco_eval/arbitrary.js';

const test = suite('images of outcomes');

const kindsOf = (outcomes: readonly Outcome[] = []) => new Set(outcomes.map(({ kind }) => kind));

test('each image is shown once, where it belongs, and no more than asked for', () => {
  fc.assert(
    fc.property(problems, fc.integer({ min: 0, max: 9 }), ([dataset, detections], count) => {
      const outcomes = classifyOutcomes(dataset, detections, { confidence: 0.25 });
      const choices = chooseImages(outcomes, count);
      assert.ok(choices.length <= count);
      assert.is(new Set(choices.map(({ imageId }) => imageId)).size, choices.length);
      for (const { gallery, imageId } of choices) {
        const kinds = kindsOf(outcomes.get(imageId));
        if (gallery === 'misses') assert.ok(kinds.has('miss') || kinds.has('confused'));
        if (gallery === 'false alarms') assert.ok(kinds.has('false alarm'));
        if (gallery === 'hits') assert.ok(kinds.has('hit'));
      }
    }),
  );
});

test('the worst come first', () => {
  const entry = { image_id: 0, category_id: 1, bbox: [0, 0, 1, 1] as [number, number, number, number] };
  const object = { ...entry, id: 1, area: 1, iscrowd: 0 as const };
  const miss: Outcome = { kind: 'miss', object };
  const alarm = (score: number): Outcome => ({ kind: 'false alarm', detection: { ...entry, score } });
  const hit = (iou: number): Outcome => ({ kind: 'hit', object, detection: { ...entry, score: 0.5 }, iou });
  const outcomes = new Map<number, Outcome[]>([
    [1, [miss]],
    [2, [miss, miss, alarm(0.9)]],
    [3, [alarm(0.4), alarm(0.4)]],
    [4, [alarm(0.9)]],
    [5, [hit(0.9)]],
    [6, [hit(0.6), hit(0.7)]],
    [7, []],
  ]);
  const of = (gallery: string) =>
    chooseImages(outcomes, 6)
      .filter((c) => c.gallery === gallery)
      .map((c) => c.imageId);
  assert.equal(of('misses'), [2, 1]);
  assert.equal(of('false alarms'), [4, 3]);
  assert.equal(of('hits'), [6, 5]);
  assert.is(describeOutcomes(outcomes.get(2) ?? []), '2 misses, 1 false alarm');
  assert.is(describeOutcomes([]), 'nothing there, nothing found');
});

test.run();
