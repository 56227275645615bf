import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { sha256 } from '../../src/base/files.js';
import { Random } from '../../src/base/random.js';
import { type Preprocess, preprocessSchema } from '../../src/config/preprocess.js';
import type { Image } from '../../src/image/image.js';
import { fittedSize, type Layout, letterbox, letterboxRatio } from '../../src/image/letterbox.js';

const test = suite('letterbox');

const preprocess = (values: object): Preprocess => preprocessSchema.parse(values);

/** An image any language can make again: sample i is (7919·i + i² mod 251) mod 256. */
function numbered(width: number, height: number): Image {
  return {
    width,
    height,
    data: Uint8Array.from({ length: width * height * 3 }, (_, i) => (7919 * i + ((i * i) % 251)) % 256),
  };
}

function painted(width: number, height: number, pixel: (x: number, y: number) => number): Image {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i++) data[i] = pixel(Math.floor(i / 3) % width, Math.floor(i / 3 / width));
  return { width, height, data };
}

const anyImage = fc
  .tuple(fc.integer({ min: 1, max: 90 }), fc.integer({ min: 1, max: 90 }))
  .map(([w, h]) => numbered(w, h));
const anySize = fc.tuple(fc.constantFrom(32, 64, 96), fc.constantFrom(32, 64, 96));

// SHA-256 of the RGB bytes of np.full(114) with cv2.resize(numbered, …, INTER_LINEAR) in its corner;
// the same from OpenCV 4.14.0 and 5.0.0.
const OPENCV: [image: [number, number], size: [number, number], hash: string][] = [
  [[53, 37], [32, 32], '27c848fe142c62df9ea6fe72889edac8f8982de2a4cb59a0b93e09dbc398b5af'],
  [[53, 37], [96, 160], 'a96c66ecada4512a3452984d9dbca29636e9f458b816ad312affc58a7c2354ea'],
  [[128, 96], [64, 64], '0b2d3ea4a82aaa9ce6abe007807ac33ecea8eca25f52ab579624317980844f15'],
  [[33, 97], [64, 64], '9e5118a14350fb6e428c8d2c7f521251247a1b933972c478e78b06bd327f20b1'],
  [[64, 48], [64, 64], 'ec2826d91e5352b9a74b75e2af581e273280806c71ad1adcfe4b2ca2a91a9c88'],
];

for (const [[width, height], size, hash] of OPENCV) {
  test(`${width}x${height} into ${size} equals OpenCV in every pixel`, () => {
    const { data } = letterbox(numbered(width, height), preprocess({ size, color: 'rgb' }), 'nhwc');
    assert.is(sha256(Uint8Array.from(data)), hash);
  });
}

/** Value of a channel of an image resized to `to` [height, width], by the definition: 11-bit weights, x before y. */
function resized({ width, height, data }: Image, to: [number, number], y: number, x: number, channel: number): number {
  const along = (i: number, from: number, size: number) => {
    const position = Math.fround((i + 0.5) * (from / size) - 0.5);
    const first = Math.floor(position);
    const exact = Math.fround(position - first) * 2048;
    const below = Math.floor(exact);
    const up = exact - below > 0.5 || (exact - below === 0.5 && below % 2 === 1);
    const inside = (at: number) => Math.min(Math.max(at, 0), from - 1);
    return { at: [inside(first), inside(first + 1)], weight: [2048 - below - Number(up), below + Number(up)] };
  };
  const [rows, columns] = [along(y, height, to[0]), along(x, width, to[1])];
  const stretched = rows.at.map((row) =>
    columns.at.reduce((sum, at, i) => sum + data[(row * width + at) * 3 + channel] * columns.weight[i], 0),
  );
  const [above, below] = stretched.map((value, i) => Math.floor((Math.floor(value / 16) * rows.weight[i]) / 65536));
  return Math.floor((above + below + 2) / 4);
}

test('any image, size, layout and normalisation gives what the definition says', () => {
  const noise = fc
    .record({ width: fc.integer({ min: 1, max: 70 }), height: fc.integer({ min: 1, max: 70 }), seed: fc.nat() })
    .map(({ width, height, seed }): Image => {
      const random = new Random(seed, 'noise');
      return { width, height, data: Uint8Array.from({ length: width * height * 3 }, () => random.int(0, 255)) };
    });
  const how = fc.record({
    size: anySize,
    color: fc.constantFrom('rgb', 'bgr'),
    scale: fc.constantFrom(1, 1 / 255),
    mean: fc.constantFrom([0, 0, 0], [0.485, 0.456, 0.406]),
    pad: fc.constantFrom(0, 114, 127.5),
  });
  fc.assert(
    fc.property(noise, how, fc.constantFrom('nchw', 'nhwc'), (image, values, layout) => {
      const options = preprocess(values);
      const [height, width] = options.size;
      const { data, ratio } = letterbox(image, options, layout as Layout);
      const rows = Math.max(1, Math.trunc(image.height * ratio));
      const columns = Math.max(1, Math.trunc(image.width * ratio));
      for (let at = 0; at < data.length; at++) {
        const [pixel, channel] =
          layout === 'nhwc' ? [Math.floor(at / 3), at % 3] : [at % (height * width), Math.floor(at / (height * width))];
        const [y, x] = [Math.floor(pixel / width), pixel % width];
        const source = values.color === 'bgr' ? 2 - channel : channel;
        const level = y < rows && x < columns ? resized(image, [rows, columns], y, x, source) : options.pad;
        assert.is(data[at], Math.fround((level * options.scale - options.mean[channel]) / options.std[channel]));
      }
    }),
    { numRuns: 60 },
  );
});

test('images of ever other sizes, one after the other, do not touch each other', () => {
  const options = preprocess({ size: [64, 64] });
  const small = numbered(20, 30);
  const before = letterbox(small, options, 'nchw').data;
  letterbox(numbered(30_000, 2), options, 'nchw');
  assert.equal(letterbox(small, options, 'nchw').data, before);
});

test('a reduction keeps the ratio of the image in full', () => {
  const options = preprocess({ size: [32, 64], color: 'rgb' });
  const original = { width: 401, height: 199 };
  const { rows, columns } = fittedSize(original, options.size);
  const reduced = { ...numbered(columns, rows), original };
  const { data, ratio } = letterbox(reduced, options, 'nhwc');
  assert.is(ratio, letterboxRatio(original, options.size));
  for (let y = 0; y < rows; y++) {
    const row = data.subarray(y * 64 * 3, (y * 64 + columns) * 3);
    assert.equal(Uint8Array.from(row), reduced.data.subarray(y * columns * 3, (y + 1) * columns * 3));
  }
});

test('an image of the input size comes through unchanged', () => {
  const image = numbered(64, 32);
  const { data, ratio } = letterbox(image, preprocess({ size: [32, 64], color: 'rgb' }), 'nhwc');
  assert.is(ratio, 1);
  assert.equal(Uint8Array.from(data), image.data);
});

test('a constant image stays constant and the rest is pad', () => {
  fc.assert(
    fc.property(anyImage, anySize, fc.integer({ min: 0, max: 255 }), ({ width, height }, size, level) => {
      const { data, ratio } = letterbox(
        painted(width, height, () => level),
        preprocess({ size, pad: 77 }),
        'nhwc',
      );
      const rows = Math.max(1, Math.trunc(height * ratio));
      const columns = Math.max(1, Math.trunc(width * ratio));
      for (let i = 0; i < data.length; i++) {
        const inside = Math.floor(i / 3) % size[1] < columns && Math.floor(i / 3 / size[1]) < rows;
        assert.is(data[i], inside ? level : 77);
      }
    }),
  );
});

test('layouts and channel orders hold the same values', () => {
  fc.assert(
    fc.property(anyImage, anySize, (image, size) => {
      const rgb = letterbox(image, preprocess({ size, color: 'rgb' }), 'nhwc').data;
      const bgr = letterbox(image, preprocess({ size, color: 'bgr' }), 'nchw').data;
      const plane = size[0] * size[1];
      for (let p = 0; p < plane; p++) for (let c = 0; c < 3; c++) assert.is(rgb[p * 3 + c], bgr[(2 - c) * plane + p]);
    }),
  );
});

test('scale, mean and std act on whole grey levels, pad included', () => {
  const normal = { scale: 1 / 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], color: 'rgb' };
  const image = numbered(50, 20);
  const plain = letterbox(image, preprocess({ size: [32, 32], color: 'rgb' }), 'nhwc').data;
  const { data } = letterbox(image, preprocess({ size: [32, 32], ...normal }), 'nhwc');
  data.forEach((value, i) => {
    assert.is(value, Math.fround((plain[i] / 255 - normal.mean[i % 3]) / normal.std[i % 3]));
  });
});

test('a batch is written in place at its offsets', () => {
  const options = preprocess({ size: [32, 32] });
  const images = [numbered(20, 30), numbered(40, 10)];
  const one = 3 * 32 * 32;
  const batch = new Float32Array(2 * one);
  images.forEach((image, i) => void letterbox(image, options, 'nchw', batch, i * one));
  images.forEach((image, i) => {
    assert.equal(batch.slice(i * one, (i + 1) * one), letterbox(image, options, 'nchw').data);
  });
});

test('a box in the input divided by the ratio is the box in the image', () => {
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 300 }), fc.integer({ min: 100, max: 300 }), (width, height) => {
      const size = [96, 96] as [number, number];
      const [x1, y1, x2, y2] = [width * 0.3, height * 0.4, width * 0.7, height * 0.9].map(Math.round);
      const image = painted(width, height, (x, y) => (x >= x1 && x < x2 && y >= y1 && y < y2 ? 255 : 0));
      const { data, ratio } = letterbox(image, preprocess({ size, pad: 0 }), 'nhwc');
      assert.is(ratio, letterboxRatio(image, size));
      const bright = [...data.keys()].filter((i) => i % 3 === 0 && data[i] > 127).map((i) => i / 3);
      const columns = bright.map((p) => p % 96);
      const rows = bright.map((p) => Math.floor(p / 96));
      const found = [Math.min(...columns), Math.min(...rows), Math.max(...columns) + 1, Math.max(...rows) + 1];
      // A pixel of the input for sides cut to whole pixels, another for sampling.
      [x1, y1, x2, y2].forEach((edge, i) => {
        assert.ok(Math.abs(found[i] / ratio - edge) <= 2 / ratio, `edge ${i}: ${found[i] / ratio} for ${edge}`);
      });
    }),
    { numRuns: 30 },
  );
});

test.run();
