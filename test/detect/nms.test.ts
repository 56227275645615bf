import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Corners, iou } from '../../src/detect/box.js';
import { decodeBoxes, postprocess, type Thresholds, toOriginal } from '../../src/detect/nms.js';

const test = suite('detections');
const CLASSES = 3;

const probability = fc.float({ min: 0, max: 1, noNaN: true });
const coordinate = fc.integer({ min: 0, max: 60 });
const anchor = fc.tuple(
  coordinate,
  coordinate,
  coordinate,
  coordinate,
  probability,
  probability,
  probability,
  probability,
);
const outputs = fc
  .array(anchor, { maxLength: 40 })
  .map((rows) => ({ anchors: rows.length, output: Float32Array.from(rows.flat()) }));
const thresholds: fc.Arbitrary<Thresholds> = fc.record({
  confidence: fc.double({ min: 0, max: 0.6, noNaN: true }),
  iou: fc.double({ min: 0, max: 1, noNaN: true }),
  maxDetections: fc.integer({ min: 1, max: 50 }),
  agnostic: fc.boolean(),
});

test('keeps the best boxes, none of which overlaps a better rival, and suppresses only what a kept one covers', () => {
  fc.assert(
    fc.property(outputs, thresholds, ({ output, anchors }, limits) => {
      const shape = { anchors, classCount: CLASSES };
      const all = postprocess(output, shape, { ...limits, iou: 2, maxDetections: anchors + 1 });
      const kept = postprocess(output, shape, limits);
      const rivals = (a: { classIndex: number }, b: { classIndex: number }) =>
        limits.agnostic || a.classIndex === b.classIndex;
      assert.ok(kept.length <= limits.maxDetections);
      kept.forEach((one, i) => {
        assert.ok(one.score >= Math.fround(limits.confidence));
        const better = kept.slice(0, i);
        assert.ok(better.every(({ score }) => score >= one.score));
        assert.not(better.some((other) => rivals(one, other) && iou(one.box, other.box) > limits.iou));
      });
      if (kept.length === limits.maxDetections) return;
      const isKept = (one: (typeof all)[number]) => kept.some((other) => JSON.stringify(other) === JSON.stringify(one));
      for (const one of all.filter((candidate) => !isKept(candidate))) {
        assert.ok(
          kept.some((other) => other.score >= one.score && rivals(one, other) && iou(one.box, other.box) > limits.iou),
        );
      }
    }),
  );
});

test('of equal scores the lower anchor wins; NaN never passes', () => {
  const row = (x: number, obj: number) => [x, 10, 8, 8, obj, 0.5, 0.25, 0.5];
  const output = Float32Array.from([row(11, Number.NaN), row(10, 0.8), row(10.5, 0.8)].flat());
  const thresholds = { confidence: 0, iou: 0.5, maxDetections: 9, agnostic: false };
  const found = postprocess(output, { anchors: 3, classCount: CLASSES }, thresholds);
  assert.equal(found, [{ box: [6, 6, 14, 14], classIndex: 0, score: Math.fround(0.4) }]);
});

const corners: fc.Arbitrary<Corners> = fc
  .tuple(coordinate, coordinate, coordinate, coordinate)
  .map(([x, y, w, h]) => [x, y, x + w, y + h]);

test('iou is symmetric, within 0…1, and 1 for a box with itself', () => {
  fc.assert(
    fc.property(corners, corners, (a, b) => {
      assert.is(iou(a, b), iou(b, a));
      assert.ok(iou(a, b) >= 0 && iou(a, b) <= 1);
      assert.is(iou(a, a), a[2] > a[0] && a[3] > a[1] ? 1 : 0);
    }),
  );
  assert.is(iou([0, 0, 2, 2], [1, 0, 3, 2]), 1 / 3);
});

test('back to the image: divided by the ratio, clipped, boxes in the padding dropped', () => {
  const at = (box: Corners) => ({ box, classIndex: 1, score: 0.5 });
  const found = toOriginal([at([-4, 2, 6, 8]), at([10, 60, 20, 70])], 0.5, { width: 100, height: 100 });
  assert.equal(found, [at([0, 4, 12, 16])]);
});

test('boxes of a reduced image are in pixels of the image in full', () => {
  const boxes = [{ box: [4, 2, 50, 24] as Corners, classIndex: 1, score: 0.5 }];
  const original = { width: 200, height: 100 };
  assert.equal(toOriginal(boxes, 0.25, { width: 50, height: 25, original }), toOriginal(boxes, 0.25, original));
});

test('decodes boxes by grid and stride, level after level, rows first', () => {
  const size = [64, 32] as const;
  const anchors = 8 * 4 + 4 * 2 + 2;
  const output = new Float32Array(anchors * 6).fill(0.25);
  decodeBoxes(output, size, 1);
  const box = (i: number) => [...output.subarray(i * 6, i * 6 + 6)];
  const side = (stride: number) => Math.fround(Math.exp(0.25) * stride);
  assert.equal(box(5), [(1 + 0.25) * 8, (1 + 0.25) * 8, side(8), side(8), 0.25, 0.25]);
  assert.equal(box(32 + 7), [(1 + 0.25) * 16, (3 + 0.25) * 16, side(16), side(16), 0.25, 0.25]);
  assert.equal(box(32 + 8 + 1), [0.25 * 32, (1 + 0.25) * 32, side(32), side(32), 0.25, 0.25]);
});
test.run();
