import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkAnnotations } from '../../../src/data/coco/annotations.js';
import { listCategories } from '../../../src/data/coco/categories.js';
import type { Id } from '../../../src/data/coco/json_ids.js';
import { type ProblemKind, Validation, type ValidationReport } from '../../../src/data/validation.js';
import type { Box } from '../../../src/detect/box.js';
import type { CocoAnnotation } from '../../../src/detect/coco.js';

const test = suite('coco_annotations');

const WIDTH = 100;
const HEIGHT = 50;
const image = { id: 7, file_name: 'a.jpg', width: WIDTH, height: HEIGHT };
const categories = [{ id: 3, name: 'cat' }];
const sound = { id: 1, image_id: 7, category_id: 3, bbox: [10, 10, 20, 20] as Box, area: 300, iscrowd: 0 };

type Counts = ValidationReport['counts'];
/** Kinds of which there is a number and no list. */
const COUNTED: readonly ProblemKind[] = ['textId', 'textBox', 'crowd'];

function check(entries: unknown[], turn = 1) {
  const validation = new Validation();
  const references = {
    images: new Map([[7, { image, turn }]]),
    dropped: new Set<Id>([8, 'gone']),
    categories: listCategories(categories, [], validation),
  };
  const annotations: CocoAnnotation[] = checkAnnotations(entries, references, validation);
  const { counts, items } = validation.report;
  const listed = (Object.keys(counts) as ProblemKind[]).filter((kind) => !COUNTED.includes(kind));
  assert.is(
    listed.reduce((sum, kind) => sum + counts[kind], 0),
    items.length,
  );
  return { annotations, items, counts: counts as Counts };
}

test('a sound annotation passes unchanged, without further fields', () => {
  const { annotations, items } = check([{ ...sound, segmentation: [], score: 1 }]);
  assert.equal(annotations, [sound]);
  assert.equal(items, []);
});

const DROPPED: [kind: ProblemKind, change: object][] = [
  ['malformedAnnotation', { bbox: undefined }],
  ['malformedAnnotation', { bbox: [1, 2, 3] }],
  ['malformedAnnotation', { bbox: [1, 2, 3, 'wide'] }],
  ['malformedAnnotation', { bbox: [1, 2, 3, ''] }],
  ['malformedAnnotation', { bbox: [], segmentation: [] }],
  ['malformedAnnotation', { bbox: null, segmentation: [[1, 2, 3, 4]] }],
  ['unknownImage', { image_id: 99 }],
  ['unknownImage', { image_id: '07' }],
  ['annotationOfDropped', { image_id: 'gone' }],
  ['unknownImage', { image_id: undefined }],
  ['annotationOfDropped', { image_id: 8 }],
  ['unknownCategory', { category_id: 1 }],
  ['nonFiniteBox', { bbox: [null, 2, 3, 4] }],
  ['nonFiniteBox', { bbox: [1, 2, Number.POSITIVE_INFINITY, 4] }],
  ['negativeBox', { bbox: [10, 10, -5, 5] }],
  ['emptyBox', { bbox: [10, 10, 0, 5] }],
  ['relativeBox', { bbox: [0.25, 0.5, 0.75, 0.5] }],
  ['relativeBox', { bbox: [0.8, 0.9, 0.4, 0.2] }],
  ['boxOutside', { bbox: [WIDTH, 10, 5, 5] }],
  ['boxOutside', { bbox: [-30, 10, 30, 5] }],
];

for (const [kind, change] of DROPPED) {
  test(`dropped as ${kind}: ${JSON.stringify(change)}`, () => {
    const { annotations, items } = check([sound, { ...sound, ...change, id: 2 }]);
    assert.equal(annotations, [sound]);
    assert.equal(
      items.map((item) => [item.kind, item.action]),
      [[kind, 'dropped']],
    );
    assert.match(items[0].where, /^annotations\[1\]/);
  });
}

test('a duplicate box is dropped, the same box of another image or class is not', () => {
  const { annotations, items } = check([
    sound,
    { ...sound, id: 2, area: 5 },
    { ...sound, id: 3, bbox: [10, 10, 20, 21] },
  ]);
  assert.equal(
    annotations.map(({ id }) => id),
    [1, 3],
  );
  assert.equal(
    items.map(({ kind }) => kind),
    ['duplicateBox'],
  );
});

test('missing area, iscrowd and id are filled in', () => {
  const { annotations, items } = check([{ ...sound, area: undefined, iscrowd: undefined, id: undefined }]);
  assert.equal(annotations, [{ ...sound, area: 400, iscrowd: 0, id: 1 }]);
  assert.equal(
    items.map(({ kind, action }) => [kind, action]),
    [
      ['missingIscrowd', 'fixed'],
      ['duplicateAnnotationId', 'fixed'],
      ['missingArea', 'fixed'],
    ],
  );
  for (const area of [0, -1, null, 'x']) assert.is(check([{ ...sound, area }]).annotations[0].area, 400);
  assert.is(check([{ ...sound, iscrowd: true }]).annotations[0].iscrowd, 1);
});

test('ids and numbers written as text are read and counted', () => {
  const text = { image_id: '7', category_id: '3', bbox: ['10', '10.0', ' 2e1', '20'], area: '300', iscrowd: '0' };
  const { annotations, items, counts } = check([{ ...sound, ...text }]);
  assert.equal(annotations, [sound]);
  assert.equal([items.length, counts.textId, counts.textBox], [0, 2, 1]);
});

test('a crowd is counted, as is one in text', () => {
  const { annotations, counts } = check([
    { ...sound, iscrowd: 1 },
    { ...sound, id: 2, bbox: [1, 1, 2, 2], iscrowd: '1' },
  ]);
  assert.equal(
    annotations.map(({ iscrowd }) => iscrowd),
    [1, 1],
  );
  assert.is(counts.crowd, 2);
});

test('a box that is missing or unusable is that of the segmentation, turned with the image', () => {
  const segmentation = [[10, 10, 30, 10, 30, 30]];
  for (const bbox of [undefined, null, [], [0, 0, 0, 0], [null, 1, 2, 3], [5, 5, -1, 2]]) {
    const { annotations, items } = check([{ ...sound, bbox, segmentation }]);
    assert.equal(annotations, [sound]);
    assert.equal(
      items.map(({ kind, action }) => [kind, action]),
      [['boxFromSegmentation', 'fixed']],
    );
  }
  // The file's pixels are 50 wide and 100 high; the image is turned by 90° clockwise.
  const turned = check([{ ...sound, bbox: [], segmentation: [[0, 90, 50, 90, 50, 100, 0, 100]] }], 6);
  assert.equal(turned.annotations[0].bbox, [0, 0, 10, 50]);
});

test('an id used twice is replaced by a free one', () => {
  const second = { ...sound, bbox: [1, 1, 2, 2] };
  const third = { ...sound, bbox: [2, 2, 2, 2], id: 5 };
  const { annotations, items } = check([sound, second, third]);
  assert.equal(
    annotations.map(({ id }) => id),
    [1, 6, 5],
  );
  assert.equal(
    items.map(({ kind }) => kind),
    ['duplicateAnnotationId'],
  );
});

test('a box is clipped to its image; rounding of COCO is let pass', () => {
  assert.equal(check([{ ...sound, bbox: [-5, 40, 20, 20] }]).annotations[0].bbox, [0, 40, 15, 10]);
  const grazing = check([{ ...sound, bbox: [90, 10, 10.005, 20] }]);
  assert.equal(grazing.annotations[0].bbox, [90, 10, 10.005, 20]);
  assert.equal(grazing.items, []);
});

test('whatever the entries, what comes out is sound and each entry is kept or listed as dropped', () => {
  const side = fc.oneof(fc.double({ min: -200, max: 200 }), fc.constantFrom(0, null, Number.NaN, 'x', '12.5'));
  const entry = fc.oneof(
    fc.record({
      id: fc.integer({ min: 0, max: 5 }),
      image_id: fc.constantFrom(7, 8, 9),
      category_id: fc.constantFrom(3, 4),
      bbox: fc.array(side, { minLength: 3, maxLength: 5 }),
      area: side,
      iscrowd: fc.constantFrom(0, 1, true, 'no', undefined),
    }),
    fc.record({
      id: fc.nat(3),
      image_id: fc.constant(7),
      category_id: fc.constant(3),
      bbox: fc.tuple(side, side, side, side),
    }),
    fc.anything(),
  );
  fc.assert(
    fc.property(fc.array(entry), fc.integer({ min: 1, max: 8 }), (entries, turn) => {
      const { annotations, items } = check(entries, turn);
      assert.is(annotations.length + items.filter(({ action }) => action === 'dropped').length, entries.length);
      assert.is(new Set(annotations.map(({ id }) => id)).size, annotations.length);
      for (const {
        bbox: [x, y, w, h],
        area,
        iscrowd,
      } of annotations) {
        assert.ok(x >= -0.01 && y >= -0.01 && x + w <= WIDTH + 0.01 && y + h <= HEIGHT + 0.01);
        assert.ok(w > 0 && h > 0 && area > 0 && Number.isFinite(area));
        assert.ok(iscrowd === 0 || iscrowd === 1);
      }
    }),
  );
});

test('boxes drawn before EXIF rotation are turned with the image', () => {
  // The stored image is HEIGHT wide and WIDTH high; its top-left 4×6 box goes to one corner of the upright one.
  const corners: Record<number, Box> = {
    5: [0, 0, 6, 4],
    6: [WIDTH - 6, 0, 6, 4],
    7: [WIDTH - 6, HEIGHT - 4, 6, 4],
    8: [0, HEIGHT - 4, 6, 4],
  };
  for (const [turn, corner] of Object.entries(corners)) {
    const { annotations } = check([{ ...sound, bbox: [0, 0, 4, 6] }], Number(turn));
    assert.equal(annotations[0].bbox, corner);
  }
});

test.run();
