import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { preprocessSchema } from '../../src/config/preprocess.js';
import { letterbox } from '../../src/data/letterbox.js';
import { type Layer, mosaicWarp } from '../../src/kernels/mosaic_warp/index.js';
import { maxDifference } from '../golden/read.js';

const test = suite('mosaic warp');
const side = fc.integer({ min: 1, max: 70 });
const picture = fc
  .tuple(side, side)
  .chain(([width, height]) =>
    fc
      .uint8Array({ minLength: width * height * 3, maxLength: width * height * 3 })
      .map((data) => ({ width, height, data })),
  );
const preprocess = preprocessSchema.parse({ size: [32, 64] });
const [height, width] = preprocess.size;

/** One picture in the top-left corner, as letterbox puts it. */
function letterboxLayer(source: { width: number; height: number }): Layer {
  const ratio = Math.min(height / source.height, width / source.width);
  const [right, bottom] = [Math.trunc(source.width * ratio), Math.trunc(source.height * ratio)];
  const tile = {
    picture: 0,
    left: 0,
    top: 0,
    right,
    bottom,
    x: 0,
    y: 0,
    scaleX: right / source.width,
    scaleY: bottom / source.height,
  };
  return { tiles: [tile], width, height, pad: 114, outside: 114, inverse: [1, 0, 0, 0, 1, 0] };
}

function draw(
  layers: Layer[],
  pictures: { width: number; height: number; data: Uint8Array }[],
  hsv: [number, number, number] = [0, 0, 0],
) {
  const out = new Float32Array(height * width * 3);
  mosaicWarp({ layers, hsv }, pictures, preprocess, out);
  return out;
}

test('without augmentation it is the letterbox of evaluation and serving, to a grey level', () =>
  fc.assert(
    fc.property(picture, (source) => {
      // A picture may be so narrow that nothing of it is left.
      const ratio = Math.min(height / source.height, width / source.width);
      fc.pre(source.width * ratio >= 1 && source.height * ratio >= 1);
      const { data } = letterbox(source, preprocess, 'nhwc');
      assert.ok(maxDifference(draw([letterboxLayer(source)], [source]), data) <= 1);
    }),
    { numRuns: 100 },
  ));

test('two equal layers average to one', () =>
  fc.assert(
    fc.property(picture, (source) => {
      const layer = letterboxLayer(source);
      assert.ok(maxDifference(draw([layer, layer], [source]), draw([layer], [source])) <= 1e-3);
    }),
    { numRuns: 30 },
  ));

test('a full turn of the hue changes nothing', () =>
  fc.assert(
    fc.property(picture, (source) => {
      const layer = letterboxLayer(source);
      assert.ok(maxDifference(draw([layer], [source], [180, 0, 0]), draw([layer], [source])) <= 1);
    }),
    { numRuns: 30 },
  ));

test('value shifts grey by as much, cut to 0–255', () =>
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 255 }), fc.integer({ min: -255, max: 255 }), (level, shift) => {
      const grey = { width: 4, height: 2, data: new Uint8Array(24).fill(level) };
      const [first] = draw([letterboxLayer(grey)], [grey], [0, 0, shift]);
      assert.is(first, Math.min(Math.max(level + shift, 0), 255));
    }),
  ));

test('beyond the canvas lies the outside level', () => {
  const source = { width: 4, height: 4, data: new Uint8Array(48).fill(200) };
  const away: Layer = { ...letterboxLayer(source), outside: 7, inverse: [1, 0, 1000, 0, 1, 0] };
  assert.ok(draw([away], [source]).every((level) => level === 7));
});

test.run();
