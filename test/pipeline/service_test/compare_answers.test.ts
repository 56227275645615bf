import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compareAnswers } from '../../../src/pipeline/service_test/compare_answers.js';
import type { AnswerAnnotation } from '../../../src/serve/http/answer.js';

const test = suite('compare_answers');
const tolerance = { minIou: 0.9, scoreTolerance: 0.01 };

const object = fc.record({
  id: fc.nat(),
  image_id: fc.constant(0),
  category_id: fc.integer({ min: 1, max: 3 }),
  score: fc.double({ min: 0, max: 1, noNaN: true }),
  bbox: fc.tuple(fc.nat(50), fc.nat(50), fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 50 })),
  segmentation: fc.constant([] as []),
});
const objects: fc.Arbitrary<AnswerAnnotation[]> = fc.array(object, { maxLength: 15 });

test('an answer matches itself in any order, duplicates included', () => {
  fc.assert(
    fc.property(objects, fc.infiniteStream(fc.nat()), (list, keys) => {
      const shuffled = list.map((one) => ({ one, key: keys.next().value })).sort((a, b) => a.key - b.key);
      const found = compareAnswers(
        list,
        shuffled.map(({ one }) => structuredClone(one)),
        tolerance,
      );
      assert.equal(found, { matched: list.length, missing: [], extra: [] });
    }),
  );
});

test('every object is counted once, on its side', () => {
  fc.assert(
    fc.property(objects, objects, (expected, received) => {
      const there = compareAnswers(expected, received, tolerance);
      assert.is(there.matched + there.missing.length, expected.length);
      assert.is(there.matched + there.extra.length, received.length);
      const back = compareAnswers(received, expected, tolerance);
      assert.is(back.matched, there.matched);
    }),
  );
});

const box: AnswerAnnotation = {
  id: 1,
  image_id: 0,
  category_id: 1,
  score: 0.5,
  bbox: [10, 10, 100, 100],
  segmentation: [],
};
const changes: [string, Partial<AnswerAnnotation>, boolean][] = [
  ['a little moved', { bbox: [12, 10, 100, 100] }, true],
  ['too far moved', { bbox: [20, 10, 100, 100] }, false],
  ['score within tolerance', { score: 0.509 }, true],
  ['score beyond it', { score: 0.52 }, false],
  ['another class', { category_id: 2 }, false],
];
for (const [name, change, same] of changes) {
  test(name, () => {
    const changed = { ...box, ...change };
    const expected = same ? { matched: 1, missing: [], extra: [] } : { matched: 0, missing: [box], extra: [changed] };
    assert.equal(compareAnswers([box], [changed], tolerance), expected);
  });
}

test('one object answered twice is one match and one extra', () => {
  const { matched, missing, extra } = compareAnswers([box], [box, { ...box, id: 2 }], tolerance);
  assert.equal([matched, missing.length, extra.length], [1, 0, 1]);
});

test.run();
