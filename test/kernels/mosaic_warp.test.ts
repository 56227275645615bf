import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../src/base/random.js';
import { type Preprocess, preprocessSchema } from '../../src/config/preprocess.js';
import { letterbox } from '../../src/image/letterbox.js';
import { type Layer, mosaicWarp, type Pixels, type Tile, type WarpPlan } from '../../src/kernels/mosaic_warp/index.js';
import { PLAN_LENGTH, packBatch, unpackImages, unpackPlans } from '../../src/kernels/mosaic_warp/pack.js';
import * as reference from '../../src/kernels/mosaic_warp/reference.js';
import { nativeOps } from '../../src/kernels/native.js';
import { rawOp, tf } from '../../src/kernels/tf.js';
import { maxDifference } from '../support/golden.js';

const test = suite('mosaic warp');
/** Random bytes from a seed, which a failing property shrinks in no time. */
function noise(seed: number, length: number): Uint8Array {
  const random = new Random(seed);
  return Uint8Array.from({ length }, () => random.int(0, 255));
}

const imageUpTo = (longest: number): fc.Arbitrary<Pixels> => {
  const side = fc.integer({ min: 1, max: longest });
  return fc
    .tuple(side, side)
    .chain(([width, height]) => fc.integer().map((seed) => ({ width, height, data: noise(seed, width * height * 3) })));
};
const image = imageUpTo(70);

const preprocess = preprocessSchema.parse({ size: [32, 64] });
const [height, width] = preprocess.size;

/** One image in the top-left corner, as letterbox puts it. */
function letterboxLayer(source: { width: number; height: number }): Layer {
  const ratio = Math.min(height / source.height, width / source.width);
  const right = Math.max(1, Math.trunc(source.width * ratio));
  const bottom = Math.max(1, Math.trunc(source.height * ratio));
  const tile = { image: 0, left: 0, top: 0, right, bottom, x: 0, y: 0, width: right, height: bottom };
  return { tiles: [tile], width, height, pad: 114, outside: 114, inverse: [1, 0, 0, 0, 1, 0] };
}

type Item = { plan: WarpPlan; images: Pixels[] };
const draw = (items: Item[], how: Preprocess = preprocess, warp = mosaicWarp): Float32Array => {
  const images = warp(packBatch(items), how);
  const values = images.dataSync() as Float32Array;
  images.dispose();
  return values;
};
const drawOne = (layers: Layer[], images: Pixels[], hsv: WarpPlan['hsv'] = [0, 0, 0]) =>
  draw([{ plan: { layers, hsv }, images }]);

test('without augmentation it is the letterbox of evaluation and serving, to a grey level', () =>
  fc.assert(
    fc.property(image, (source) => {
      const { data } = letterbox(source, preprocess, 'nhwc');
      assert.ok(maxDifference(drawOne([letterboxLayer(source)], [source]), data) <= 1);
    }),
    { numRuns: 100 },
  ));

test('an image that needs no scaling is copied exactly', () =>
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const source = { width, height, data: noise(seed, width * height * 3) };
      assert.equal(drawOne([letterboxLayer(source)], [source]), letterbox(source, preprocess, 'nhwc').data);
    }),
    { numRuns: 10 },
  ));

test('two equal layers average to one', () =>
  fc.assert(
    fc.property(image, (source) => {
      const layer = letterboxLayer(source);
      assert.ok(maxDifference(drawOne([layer, layer], [source]), drawOne([layer], [source])) <= 1e-3);
    }),
    { numRuns: 30 },
  ));

test('a full turn of the hue changes nothing', () =>
  fc.assert(
    fc.property(image, (source) => {
      const layer = letterboxLayer(source);
      assert.ok(maxDifference(drawOne([layer], [source], [180, 0, 0]), drawOne([layer], [source])) <= 1);
    }),
    { numRuns: 30 },
  ));

test('value shifts grey by as much, cut to 0–255', () =>
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 255 }), fc.integer({ min: -255, max: 255 }), (level, shift) => {
      const grey = { width: 4, height: 2, data: new Uint8Array(24).fill(level) };
      const [first] = drawOne([letterboxLayer(grey)], [grey], [0, 0, shift]);
      assert.is(first, Math.min(Math.max(level + shift, 0), 255));
    }),
  ));

test('beyond the canvas lies the outside level', () => {
  const source = { width: 4, height: 4, data: new Uint8Array(48).fill(200) };
  const away: Layer = { ...letterboxLayer(source), outside: 7, inverse: [1, 0, 1000, 0, 1, 0] };
  assert.ok(drawOne([away], [source]).every((level) => level === 7));
});

/** Thousandths: of numbers next to zero TensorFlow's threads make zero. */
const number = (min: number, max: number) => fc.integer({ min: min * 1000, max: max * 1000 }).map((n) => n / 1000);

/** Up to four images that meet at a point of a canvas, seen through any turn and zoom. */
const layer: fc.Arbitrary<Layer> = fc
  .record({
    count: fc.integer({ min: 0, max: 4 }),
    meet: fc.tuple(number(10, 100), number(10, 60)),
    tileSize: fc.tuple(number(1, 90), number(1, 90)),
    canvas: fc.tuple(number(20, 128), number(20, 64)),
    affine: fc.tuple(number(-3, 3), number(-3, 3), number(-60, 120), number(-3, 3), number(-3, 3), number(-60, 120)),
    pad: fc.integer({ min: 0, max: 255 }),
    outside: fc.integer({ min: 0, max: 255 }),
  })
  .map(({ count, meet: [cx, cy], tileSize: [w, h], canvas, affine, pad, outside }) => ({
    tiles: Array.from({ length: count }, (_, i): Tile => {
      const [x, y] = [i % 2 === 0 ? cx - w : cx, i < 2 ? cy - h : cy];
      return { image: i, left: x, top: y, right: x + w, bottom: y + h, x, y, width: w, height: h };
    }),
    width: canvas[0],
    height: canvas[1],
    pad,
    outside,
    inverse: affine,
  }));

const shift = fc.constantFrom(0, 0, -40, -7, 3, 29, 180);
const item: fc.Arbitrary<Item> = fc.record({
  plan: fc.record({ layers: fc.array(layer, { minLength: 1, maxLength: 2 }), hsv: fc.tuple(shift, shift, shift) }),
  images: fc.array(imageUpTo(40), { minLength: 4, maxLength: 4 }),
});

test('native and reference agree but for a grey level at few places', () => {
  let values = 0;
  let different = 0;
  fc.assert(
    fc.property(
      fc.array(item, { minLength: 1, maxLength: 3 }),
      fc.constantFrom<[number, number]>([32, 32], [32, 64], [64, 320]),
      fc.constantFrom('bgr', 'rgb'),
      (items, size, color) => {
        const how = preprocessSchema.parse({ size, color });
        const ours = draw(items, how);
        const expected = draw(items, how, reference.mosaicWarp);
        assert.is(ours.length, expected.length);
        for (let i = 0; i < ours.length; i++) different += ours[i] === expected[i] ? 0 : 1;
        values += ours.length;
      },
    ),
    { numRuns: 60, seed: 1 },
  );
  assert.ok(different <= values / 1000, `${different} of ${values} differ`);
});

test('native and reference normalise alike', () => {
  const [source] = fc.sample(image, { numRuns: 1, seed: 2 });
  const how = preprocessSchema.parse({
    size: [32, 64],
    color: 'rgb',
    scale: 1 / 255,
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
  });
  const items: Item[] = [{ plan: { layers: [letterboxLayer(source)], hsv: [0, 0, 0] }, images: [source] }];
  const level = how.scale / Math.min(...how.std);
  assert.ok(maxDifference(draw(items, how), draw(items, how, reference.mosaicWarp)) <= level * 1.01);
  const { data } = letterbox(source, how, 'nhwc');
  assert.ok(maxDifference(draw(items, how), data) <= level * 1.01);
});

test('what is packed comes out again, each image once', () =>
  fc.assert(
    fc.property(fc.array(item, { minLength: 1, maxLength: 3 }), (items) => {
      const shared = items.map(({ plan }) => ({ plan, images: items[0].images }));
      const batch = packBatch(shared);
      assert.equal(
        unpackImages(batch).map(({ data }) => [...data]),
        items[0].images.map(({ data }) => [...data]),
      );
      const rounded = JSON.parse(JSON.stringify(shared.map(({ plan }) => plan)), (_, value) =>
        typeof value === 'number' ? Math.fround(value) : value,
      );
      assert.equal(unpackPlans(batch), rounded);
    }),
    { numRuns: 20 },
  ));

test('what does not fit into a plan is refused', () => {
  const source = { width: 1, height: 1, data: new Uint8Array(3) };
  const { tiles, ...rest } = letterboxLayer(source);
  const pack = (layers: Layer[]) => () => packBatch([{ plan: { layers, hsv: [0, 0, 0] }, images: [source] }]);
  assert.throws(pack([{ ...rest, tiles: Array(5).fill(tiles[0]) }]), /at most 4 tiles, received 5/);
  assert.throws(pack(Array(3).fill({ ...rest, tiles })), /at most 2 layers, received 3/);
  const huge = { width: 40_000, height: 40_000, data: new Uint8Array(0) };
  const plan: WarpPlan = { layers: [], hsv: [0, 0, 0] };
  assert.throws(() => packBatch([{ plan, images: [huge] }]), /at most 4294967296 bytes.*Lower train\.batch/);
});

test('no plans make no images', () => {
  const images = mosaicWarp(packBatch([]), preprocess);
  assert.equal(images.shape, [0, height, width, 3]);
  images.dispose();
});

if (nativeOps) {
  const run = (pixels: number, images: number[][], plans: number[][]) => () =>
    tf.tidy(() =>
      rawOp(
        'YoloxMosaicWarp',
        [
          tf.tensor1d(new Uint8Array(pixels), 'bool'),
          tf.tensor2d(images.flat(), [images.length, images[0].length]),
          tf.tensor2d(plans.flat(), [plans.length, plans[0].length]),
        ],
        {
          height: { type: 'INT', value: 4 },
          width: { type: 'INT', value: 4 },
          bgr: { type: 'BOOL', value: false },
          gain: { type: 'FLOAT', value: [1, 1, 1] },
          shift: { type: 'FLOAT', value: [0, 0, 0] },
        },
      ),
    );
  /** One layer with one tile of the given image, all else zero. */
  const plan = (image: number, layers = 1, tiles = 1) => {
    const numbers = Array(PLAN_LENGTH).fill(0);
    Object.assign(numbers, { 0: layers, 4: tiles, 15: image });
    return numbers;
  };

  test('the op refuses what it cannot draw', () => {
    const whole = [[0, 4, 4]];
    run(256, whole, [plan(0)])();
    assert.throws(run(256, [[0, 4]], [plan(0)]), /expected images of shape \[P,3\], received \[1,2\]/);
    assert.throws(run(256, whole, [[1, 2]]), /expected plans of shape \[N,98\], received \[1,2\]/);
    assert.throws(run(256, whole, [plan(0, 3)]), /expected 1 or 2 layers, received 3/);
    assert.throws(run(256, whole, [plan(0, 1, 5)]), /expected 0 to 4 tiles, received 5/);
    assert.throws(run(256, whole, [plan(1)]), /expected one of 1 images lying within 256 bytes, received 1/);
    assert.throws(run(48, whole, [plan(0)]), /lying within 48 bytes/);
    assert.throws(run(256, [[0, Number.NaN, 4]], [plan(0)]), /lying within 256 bytes/);
    assert.throws(run(256, [[1e9, 4, 4]], [plan(0)]), /lying within 256 bytes/);
  });
}

test('calls leave nothing behind', () => {
  const [source] = fc.sample(image, { numRuns: 1, seed: 2 });
  const batch = packBatch([{ plan: { layers: [letterboxLayer(source)], hsv: [3, 4, 5] }, images: [source] }]);
  const { numTensors } = tf.memory();
  for (let i = 0; i < 20; i++) mosaicWarp(batch, preprocess).dispose();
  assert.is(tf.memory().numTensors, numTensors);
});

test.run();
