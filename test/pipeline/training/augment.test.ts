import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../../src/base/random.js';
import { preprocessSchema } from '../../../src/config/preprocess.js';
import { configSchema } from '../../../src/config/schema.js';
import { drawPlan } from '../../../src/kernels/mosaic_warp/reference.js';
import { type Example, lightExample, strongExample } from '../../../src/pipeline/training/augment.js';

const test = suite('augmentation');
const { augment } = configSchema.parse({}).train;
const size = [96, 128] as const;
const BACKGROUND = 20;
const OBJECT = 240;

/** A dark image with one bright object, and its pixels. */
const scene = fc
  .record({ width: fc.integer({ min: 40, max: 160 }), height: fc.integer({ min: 40, max: 160 }) })
  .chain(({ width, height }) =>
    fc.record({
      width: fc.constant(width),
      height: fc.constant(height),
      x: fc.integer({ min: 0, max: width - 21 }),
      y: fc.integer({ min: 0, max: height - 21 }),
      w: fc.integer({ min: 10, max: 20 }),
      h: fc.integer({ min: 10, max: 20 }),
    }),
  );
type Scene = typeof scene extends fc.Arbitrary<infer T> ? T : never;

const toExample = ({ width, height, x, y, w, h }: Scene, i: number): Example => ({
  name: `${i}.png`,
  path: String(i),
  width,
  height,
  objects: [{ classIndex: i, bbox: [x, y, w, h] }],
});

function toOriginal({ width, height, x, y, w, h }: Scene) {
  const data = new Uint8Array(width * height * 3).fill(BACKGROUND);
  for (let row = y; row < y + h; row++) data.fill(OBJECT, (row * width + x) * 3, (row * width + x + w) * 3);
  return { width, height, data };
}

const strong = { ...augment, mosaic: 1, mixup: 0.5, hsv: [0, 0, 0] as [number, number, number] };

test('boxes stay inside the output, keep their class and are not slivers', () =>
  fc.assert(
    fc.property(fc.array(scene, { minLength: 4, maxLength: 6 }), fc.nat(), (scenes, seed) => {
      const examples = scenes.map(toExample);
      const random = new Random(seed);
      const { labels } = strongExample(examples[0], () => random.pick(examples), size, strong, random);
      for (const { classIndex, x1, y1, x2, y2 } of labels) {
        assert.ok(x1 >= 0 && y1 >= 0 && x2 <= size[1] && y2 <= size[0]);
        assert.ok(x2 - x1 > 1 && y2 - y1 > 1);
        assert.ok(classIndex in examples);
      }
    }),
    { numRuns: 200 },
  ));

test('the same key gives the same image', () => {
  const examples = fc.sample(scene, { numRuns: 4, seed: 3 }).map(toExample);
  const make = () => {
    const random = new Random(5, 'x');
    return strongExample(examples[0], () => random.pick(examples), size, strong, random);
  };
  assert.equal(make(), make());
});

test('every bright pixel lies in a box: boxes and pixels go through the same transform', () =>
  fc.assert(
    fc.property(fc.array(scene, { minLength: 4, maxLength: 4 }), fc.nat(), fc.boolean(), (scenes, seed, light) => {
      const examples = scenes.map(toExample);
      const random = new Random(seed);
      const config = { ...strong, mixup: 0, scale: [0.8, 1.5] as [number, number] };
      const { plan, paths, labels } = light
        ? lightExample(examples[0], size, config, random)
        : strongExample(examples[0], () => random.pick(examples), size, config, random);
      const out = new Float32Array(size[0] * size[1] * 3);
      const preprocess = { ...preprocessSchema.parse({}), size: [...size] as [number, number] };
      drawPlan(
        plan,
        paths.map((path) => toOriginal(scenes[Number(path)])),
        preprocess,
        out,
      );
      for (let i = 0; i < out.length; i += 3) {
        // Above the mean of object and background: inside the object, whatever the interpolation.
        if (out[i] < 200) continue;
        const [x, y] = [((i / 3) % size[1]) + 0.5, Math.floor(i / 3 / size[1]) + 0.5];
        const inside = labels.some(({ x1, y1, x2, y2 }) => x > x1 - 1 && x < x2 + 1 && y > y1 - 1 && y < y2 + 1);
        // Boxes of a side up to a pixel are dropped; their pixels lie on the border.
        const border = x < 2 || y < 2 || x > size[1] - 2 || y > size[0] - 2;
        assert.ok(inside || border || nearTileEdge(plan, x, y), `bright pixel at ${x}, ${y} outside of all boxes`);
      }
    }),
    { numRuns: 60 },
  ));

/** Slivers at the border between two images of a mosaic are dropped as well. */
function nearTileEdge({ layers: [layer] }: ReturnType<typeof lightExample>['plan'], px: number, py: number): boolean {
  const [a, b, c, d, e, f] = layer.inverse;
  const [x, y] = [a * px + b * py + c, d * px + e * py + f];
  return layer.tiles.some(
    ({ left, top, right, bottom }) =>
      Math.min(Math.abs(x - left), Math.abs(x - right)) < 3 || Math.min(Math.abs(y - top), Math.abs(y - bottom)) < 3,
  );
}

test.run();
