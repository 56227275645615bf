import fc from 'fast-check';
import type { Box } from '../../../src/detect/box.js';
import type { CocoDataset, CocoDetection } from '../../../src/detect/coco.js';

const CATEGORIES = ['a', 'b', 'c'].map((name, i) => ({ id: 3 * i + 1, name }));

const box: fc.Arbitrary<Box> = fc.tuple(
  fc.integer({ min: 0, max: 60 }),
  fc.integer({ min: 0, max: 60 }),
  fc.integer({ min: 1, max: 120 }),
  fc.integer({ min: 1, max: 120 }),
);

const entry = fc.record({ image_id: fc.integer({ min: 1, max: 4 }), category_id: fc.constantFrom(1, 4, 7), bbox: box });

/** Four images, three categories, some objects, crowds only if asked for. */
export function datasets({ crowds = true } = {}): fc.Arbitrary<CocoDataset> {
  const iscrowd = crowds ? fc.constantFrom<0 | 1>(0, 0, 0, 1) : fc.constant(0 as const);
  return fc.array(fc.tuple(entry, iscrowd), { maxLength: 16 }).map((entries) => ({
    images: [1, 2, 3, 4].map((id) => ({ id, file_name: `${id}.jpg`, width: 200, height: 200 })),
    categories: CATEGORIES,
    annotations: entries.map(([own, iscrowd], i) => ({ ...own, id: i + 1, area: own.bbox[2] * own.bbox[3], iscrowd })),
  }));
}

/** Detections of all different scores, near objects or anywhere. */
export function detectionsOf(dataset: CocoDataset): fc.Arbitrary<CocoDetection[]> {
  const anywhere = entry;
  const near = fc
    .tuple(fc.nat(), fc.tuple(...[0, 0, 0, 0].map(() => fc.integer({ min: -4, max: 4 }))))
    .map(([index, shift]) => {
      const { image_id, category_id, bbox } = dataset.annotations[index % dataset.annotations.length];
      const [x, y, width, height] = bbox.map((value, i) => value + shift[i]);
      return { image_id, category_id, bbox: [x, y, Math.max(1, width), Math.max(1, height)] as Box };
    });
  const boxes = fc.array(dataset.annotations.length > 0 ? fc.oneof(near, anywhere) : anywhere, { maxLength: 24 });
  const score = fc.integer({ min: 1, max: 1000 }).map((value) => value / 1000);
  return boxes.chain((list) =>
    fc
      .uniqueArray(score, { minLength: list.length, maxLength: list.length })
      .map((scores) => list.map((own, i) => ({ ...own, score: scores[i] }))),
  );
}

/** A dataset and detections on it. */
export const problems = datasets().chain((dataset) => fc.tuple(fc.constant(dataset), detectionsOf(dataset)));
