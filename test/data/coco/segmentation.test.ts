import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { boxOfSegmentation } from '../../../src/data/coco/segmentation.js';

const test = suite('coco_segmentation');

test('polygons: the least box round all their corners, as several lists or one', () => {
  assert.equal(boxOfSegmentation([[10, 20, 30.5, 20, 30.5, 44]], 1, 1), [10, 20, 20.5, 24]);
  assert.equal(
    boxOfSegmentation(
      [
        [10, 20, 30, 20, 30, 44],
        [0, 50, 5, 50, 5, 60, 0, 60],
      ],
      1,
      1,
    ),
    [0, 20, 30, 40],
  );
  assert.equal(boxOfSegmentation([10, 20, 30, 20, 30, 44], 1, 1), [10, 20, 20, 24]);
});

/** Runs of a mask given as rows, and the box round its ones found by looking at each. */
function encode(mask: readonly (readonly boolean[])[]) {
  const [height, width] = [mask.length, mask[0].length];
  const counts = [0];
  const xs: number[] = [];
  const ys: number[] = [];
  for (let x = 0; x < width; x++) {
    for (let y = 0; y < height; y++) {
      if (mask[y][x] !== (counts.length % 2 === 0)) counts.push(0);
      counts[counts.length - 1]++;
      if (mask[y][x]) {
        xs.push(x);
        ys.push(y);
      }
    }
  }
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const box = xs.length > 0 ? [left, top, Math.max(...xs) - left + 1, Math.max(...ys) - top + 1] : undefined;
  return { size: [height, width], counts, box };
}

const masks = fc
  .tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 }))
  .chain(([height, width]) =>
    fc.array(fc.array(fc.boolean(), { minLength: width, maxLength: width }), { minLength: height, maxLength: height }),
  );

test('run lengths: the box of the mask they stand for', () => {
  fc.assert(
    fc.property(masks, (mask) => {
      const { size, counts, box } = encode(mask);
      assert.equal(boxOfSegmentation({ size, counts }, size[0], size[1]), box);
    }),
  );
});

/** Height, width, counts and box of masks as pycocotools 2.0.11 encodes them: noise, ellipses, one with a corner. */
const COMPRESSED: [height: number, width: number, counts: string, box: number[]][] = [
  [7, 5, '011000011O00O01041K00O10', [0, 0, 5, 7]],
  [40, 60, 'T=9n02M4M2O0O2N2O000O2O00000000000000000001N10001N2N101N3L3Nei0', [10, 13, 29, 23]],
  [
    120,
    90,
    'af1?T3:G8I6K4L4L4M2M4M2N2N2N2O0O2N2O0O2O00000000000000000001N101N2N101N2N2N2N3L3N3L4L4L5J7H9FTW3D]iL0000',
    [14, 0, 76, 108],
  ],
  [3, 3, '09', [0, 0, 3, 3]],
];

test('compressed run lengths: the boxes that pycocotools gives', () => {
  for (const [height, width, counts, box] of COMPRESSED) {
    assert.equal(boxOfSegmentation({ size: [height, width], counts }, height, width), box);
  }
});

test('what is not well-defined has no box', () => {
  const runs = { size: [2, 3], counts: [1, 2, 3] };
  assert.equal(boxOfSegmentation(runs, 2, 3), [0, 0, 2, 2]);
  for (const bad of [
    undefined,
    null,
    'text',
    [],
    [[]],
    [[1, 2, 3, 4]],
    [[1, 2, 3, 4, 5, 6, 7]],
    [[1, 2, 3, 4, 5, null]],
    { ...runs, size: [3, 2] },
    { ...runs, counts: [1, 2, 4] },
    { ...runs, counts: [1, -2, 7] },
    { ...runs, counts: [6] },
    { ...runs, counts: '\n' },
    { ...runs, counts: 'o' },
    { counts: [1, 2, 3] },
  ]) {
    assert.is(boxOfSegmentation(bad, 2, 3), undefined, JSON.stringify(bad));
  }
});

test.run();
