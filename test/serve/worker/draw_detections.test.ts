import sharp from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { classColor } from '../../../src/image/colors.js';
import { drawDetections } from '../../../src/serve/worker/detect_batch.js';

const test = suite('draw');
const categories = [
  { id: 3, name: 'circle' },
  { id: 7, name: 'square' },
];
const grey = (width: number, height: number) => ({ width, height, data: new Uint8Array(3 * width * height).fill(128) });
const pixels = (png: Buffer) => sharp(png).raw().toBuffer({ resolveWithObject: true });

test('a box has the colour of its class, what it holds stays as it was', async () => {
  const box = [40, 60, 160, 180] as [number, number, number, number];
  const png = await drawDetections(grey(200, 200), [{ box, classIndex: 1, score: 0.5 }], categories);
  const { data, info } = await pixels(png);
  assert.equal([info.width, info.height, info.channels], [200, 200, 3]);
  const at = (x: number, y: number) => [...data.subarray(3 * (200 * y + x), 3 * (200 * y + x) + 3)];
  const colour = [1, 3, 5].map((digit) => Number.parseInt(classColor(1).slice(digit, digit + 2), 16));
  // A line of more than a pixel has its middle on the edge of the box.
  for (const [x, y] of [
    [40, 120],
    [159, 120],
    [100, 179],
  ]) {
    assert.ok(at(x, y).every((value, i) => Math.abs(value - colour[i]) <= Math.abs(128 - colour[i]) / 2));
  }
  for (const [x, y] of [
    [100, 120],
    [20, 20],
    [180, 190],
  ]) {
    assert.equal(at(x, y), [128, 128, 128]);
  }
});

test('without objects an image comes back as it was, a large one smaller', async () => {
  const { data } = await pixels(await drawDetections(grey(70, 50), [], categories));
  assert.equal([...new Set(data)], [128]);
  const { info } = await pixels(await drawDetections(grey(2000, 1000), [], categories));
  assert.equal([info.format, info.width, info.height], ['raw', 1280, 640]);
});

test.run();
