import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../src/base/random.js';
import { anchorGrid } from '../../src/config/network.js';
import { nativeOps } from '../../src/kernels/native.js';
import { type AssignerName, simOtaAssign } from '../../src/kernels/sim_ota_assign/index.js';
import * as reference from '../../src/kernels/sim_ota_assign/reference.js';
import { tf } from '../../src/kernels/tf.js';
import { maxDifference } from '../support/golden.js';

const test = suite('SimOTA against its definition in double precision');

/** Whatever computes by default, and the plain version. */
const IMPLEMENTATIONS = { default: simOtaAssign, reference: reference.simOtaAssign };
type Implementation = keyof typeof IMPLEMENTATIONS;
const implementations = Object.keys(IMPLEMENTATIONS) as Implementation[];

interface Scene {
  height: number;
  width: number;
  classes: number;
  /** Rows of each image: class, cx, cy, w, h. */
  images: number[][][];
  seed: number;
  name: AssignerName;
}

/** Quarters of pixels: anchors lie exactly on many a border. Centres may be outside of the image. */
const quarters = (min: number, max: number) => fc.integer({ min: 4 * min, max: 4 * max }).map((x) => x / 4);
const EMPTY = [0, 0, 0, 0, 0];

function scenes(maxObjects: number, maxSide = 3, minObjects = 0): fc.Arbitrary<Scene> {
  const sides = fc.integer({ min: 1, max: maxSide }).map((n) => 32 * n);
  return fc.record({ height: sides, width: sides, classes: fc.integer({ min: 1, max: 4 }) }).chain((input) => {
    const centre = quarters(-24, Math.max(input.height, input.width) + 24);
    const object = fc
      .tuple(fc.nat(input.classes - 1), centre, centre, quarters(1, 64), quarters(1, 64))
      // What tells an object from an empty row.
      .filter((row) => row.reduce((a, b) => a + b) > 0);
    const row = fc.oneof({ weight: 5, arbitrary: object }, { weight: 1, arbitrary: fc.constant(EMPTY) });
    const image = fc.array(row, { minLength: minObjects, maxLength: maxObjects });
    return fc.record({
      height: fc.constant(input.height),
      width: fc.constant(input.width),
      classes: fc.constant(input.classes),
      images: fc.array(image, { minLength: 1, maxLength: 3 }),
      seed: fc.nat(1e6),
      name: fc.constantFrom<AssignerName>('main', 'v0.3'),
    });
  });
}

/** Box outputs near the size of their anchors, logits of both signs. */
function makeRaw({ height, width, classes, images, seed }: Scene): Float32Array {
  const random = new Random(seed);
  const anchors = anchorGrid(height, width).count * images.length;
  const raw = new Float32Array(anchors * (5 + classes));
  for (let i = 0; i < raw.length; i++) {
    const column = i % (5 + classes);
    raw[i] = column < 4 ? random.uniform(-1, 1.5) : random.uniform(-4, 4);
  }
  return raw;
}

function makeLabels(images: number[][][]): Float32Array {
  const rows = Math.max(1, ...images.map((image) => image.length));
  return Float32Array.from(images.flatMap((p) => Array.from({ length: rows }, (_, i) => p[i] ?? EMPTY)).flat());
}

interface Assigned {
  matchedGt: Float32Array;
  matchedIou: Float32Array;
  numFg: number;
}

function assign(scene: Scene, raw = makeRaw(scene), by: Implementation = 'default'): Assigned {
  const { height, width, classes, images, name } = scene;
  const anchors = anchorGrid(height, width);
  const values = makeLabels(images);
  const inputs = [
    tf.tensor3d(raw, [images.length, anchors.count, 5 + classes]),
    tf.tensor3d(values, [images.length, values.length / 5 / images.length, 5]),
  ] as const;
  const assignment = IMPLEMENTATIONS[by](...inputs, anchors, name);
  const [matchedGt, matchedIou] = [assignment.matchedGt, assignment.matchedIou].map((tensor) => {
    assert.equal(tensor.shape, [images.length, anchors.count]);
    return tensor.dataSync() as Float32Array;
  });
  const [numFg] = assignment.numFg.dataSync();
  assert.ok(inputs[0].dataSync().every((value, i) => Object.is(value, raw[i])));
  tf.dispose([...inputs, assignment]);
  return { matchedGt, matchedIou, numFg };
}

const RULES = {
  main: { radius: 1.5, penalty: 1e6, box: false },
  'v0.3': { radius: 2.5, penalty: 1e5, box: true },
};

interface Expected {
  /** By anchor: label row, −1 for background. */
  rows: number[];
  iou: number[];
  /** Whether the anchor may be matched at all. */
  candidate: boolean[];
  /** Two costs, or a sum of IoUs and a whole number, nearer than float32 can tell. */
  close: boolean;
  /** Two equal costs, one of them in, one out. */
  tied: boolean;
}

/** One image, every anchor against every object. */
function define(scene: Scene, raw: Float32Array, labels: number[][]): Expected {
  const anchors = anchorGrid(scene.height, scene.width);
  const { radius, penalty, box } = RULES[scene.name];
  const all = Array.from({ length: anchors.count }, (_, i) => i);
  const objects = labels.map((label, row) => ({ label, row })).filter(({ label }) => label.some((x) => x !== 0));
  const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

  const pairs = objects.map(({ label: [klass, cx, cy, w, h] }) =>
    all.map((i) => {
      const [tx, ty, tw, th, objectness, ...logits] = raw.subarray(
        i * (5 + scene.classes),
        (i + 1) * (5 + scene.classes),
      );
      const stride = anchors.stride[i];
      const dx = Math.abs((anchors.x[i] + 0.5) * stride - cx);
      const dy = Math.abs((anchors.y[i] + 0.5) * stride - cy);
      const near = Math.max(dx, dy) < radius * stride;
      const inside = dx < w / 2 && dy < h / 2;

      const [pw, ph] = [Math.exp(tw) * stride, Math.exp(th) * stride];
      const shared = (a: number, sizeA: number, b: number, sizeB: number) =>
        Math.max(0, Math.min(a + sizeA / 2, b + sizeB / 2) - Math.max(a - sizeA / 2, b - sizeB / 2));
      const both = shared((tx + anchors.x[i]) * stride, pw, cx, w) * shared((ty + anchors.y[i]) * stride, ph, cy, h);
      const iou = both / (pw * ph + w * h - both);

      const classCost = logits
        .map((logit) => Math.sqrt(sigmoid(logit) * sigmoid(objectness)))
        .reduce((sum, p, c) => sum - Math.log(c === klass ? p : 1 - p), 0);
      const well = near && (!box || inside);
      return { iou, cost: classCost - 3 * Math.log(iou + 1e-8) + (well ? 0 : penalty), able: near || (box && inside) };
    }),
  );
  const candidate = all.map((i) => pairs.some((anchorsOfObject) => anchorsOfObject[i].able));
  const candidates = all.filter((i) => candidate[i]);

  let [close, tied] = [false, false];
  /** Indices by rising cost, equal ones in order; notes when the order at `end` is uncertain. */
  const cheapest = (costs: number[], indices: number[], end: number) => {
    const sorted = indices.toSorted((a, b) => costs[a] - costs[b] || a - b);
    const gap = costs[sorted[end]] - costs[sorted[end - 1]];
    if (gap === 0) tied = true;
    else if (gap < 1e-5 * Math.max(10, costs[sorted[end]])) close = true;
    return sorted.slice(0, end);
  };
  const claims = objects.map((_, g) => {
    const ious = candidates.map((i) => pairs[g][i].iou).sort((a, b) => b - a);
    const sum = ious.slice(0, 10).reduce((a, b) => a + b, 0);
    if (sum !== 0 && Math.abs(sum - Math.round(sum)) < 1e-4) close = true;
    return cheapest(
      pairs[g].map(({ cost }) => cost),
      candidates,
      Math.max(1, Math.floor(sum)),
    );
  });
  const owner = all.map((i) => {
    const claiming = objects.map((_, g) => g).filter((g) => claims[g].includes(i));
    if (claiming.length < 2) return claiming[0];
    const everyone = objects.map((_, g) => g);
    return cheapest(
      everyone.map((g) => pairs[g][i].cost),
      everyone,
      1,
    )[0];
  });
  return {
    rows: owner.map((g) => (g === undefined ? -1 : objects[g].row)),
    iou: owner.map((g, i) => (g === undefined ? 0 : pairs[g][i].iou)),
    candidate,
    close,
    tied,
  };
}

/** All images of a scene one after the other. */
function defineScene(scene: Scene, raw: Float32Array): Expected {
  const size = raw.length / scene.images.length;
  const parts = scene.images.map((image, n) => define(scene, raw.subarray(n * size, (n + 1) * size), image));
  return {
    rows: parts.flatMap(({ rows }) => rows),
    iou: parts.flatMap(({ iou }) => iou),
    candidate: parts.flatMap(({ candidate }) => candidate),
    close: parts.some(({ close }) => close),
    tied: parts.some(({ tied }) => tied),
  };
}

function assertDefined(by: Implementation, scene: Scene): void {
  const raw = makeRaw(scene);
  const expected = defineScene(scene, raw);
  fc.pre(!expected.close);
  const { matchedGt, matchedIou, numFg } = assign(scene, raw, by);
  assert.equal(Array.from(matchedGt), expected.rows);
  expected.iou.forEach((iou, i) => {
    assert.ok(Math.abs(matchedIou[i] - iou) <= 1e-5, `IoU of anchor ${i} is ${matchedIou[i]}, not ${iou}`);
  });
  assert.is(numFg, expected.rows.filter((row) => row >= 0).length);
}

for (const by of implementations) {
  test(`${by}: matches what the definition matches`, () =>
    fc.assert(
      fc.property(scenes(8), (scene) => assertDefined(by, scene)),
      { numRuns: 150 },
    ));

  test(`${by}: and with more objects than anchors`, () =>
    fc.assert(
      fc.property(scenes(40, 1, 30), (scene) => assertDefined(by, scene)),
      { numRuns: 40 },
    ));
}

/** Nothing is left out for being close: the two compute what decides in the same precision. */
function assertSame(scene: Scene, raw: Float32Array): void {
  const [ours, theirs] = [assign(scene, raw), assign(scene, raw, 'reference')];
  assert.equal(ours.matchedGt, theirs.matchedGt);
  assert.ok(maxDifference(ours.matchedIou, theirs.matchedIou) <= 1e-6);
  assert.is(ours.numFg, theirs.numFg);
}

test('both agree, ties, near ties and full images included', () =>
  fc.assert(
    fc.property(scenes(40, 4), fc.constantFrom(1, 0.01, 0), (scene, spread) => {
      assertSame(
        scene,
        makeRaw(scene).map((value) => spread * value),
      );
    }),
    { numRuns: 150 },
  ));

test('both agree with many classes', () =>
  fc.assert(
    fc.property(scenes(10, 2), fc.integer({ min: 5, max: 300 }), (scene, classes) => {
      const wide = { ...scene, classes };
      assertSame(wide, makeRaw(wide));
    }),
    { numRuns: 30 },
  ));

/** Every `step`th value is none that a network should give. */
function spoil(raw: Float32Array, step: number): Float32Array {
  const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3e38, -3e38, 800, -800];
  return raw.map((value, i) => (i % step === 0 ? values[(i / step) % values.length] : value));
}

test('outputs that are infinite, huge or no numbers: both agree, and every match is a candidate', () =>
  fc.assert(
    fc.property(scenes(12), fc.integer({ min: 1, max: 40 }), (scene, step) => {
      const raw = spoil(makeRaw(scene), step);
      assertSame(scene, raw);
      const { candidate } = defineScene(scene, raw);
      const { matchedGt, matchedIou } = assign(scene, raw);
      matchedGt.forEach((row, i) => {
        assert.ok(row < 0 || candidate[i]);
        assert.ok(matchedIou[i] >= 0 && matchedIou[i] <= 1);
      });
    }),
    { numRuns: 60 },
  ));

test('an anchor whose outputs are no numbers is the last to be matched', () => {
  const scene: Scene = { height: 64, width: 64, classes: 2, images: [[[1, 30, 30, 20, 20]]], seed: 3, name: 'main' };
  const raw = makeRaw(scene);
  const first = assign(scene, raw);
  const chosen = first.matchedGt.indexOf(0);
  raw[chosen * 7 + 6] = Number.NaN;
  const second = assign(scene, raw);
  assert.is(second.matchedGt[chosen], -1);
  assert.is(second.numFg, first.numFg);
});

test('rows of classes beyond C, and rows that are no numbers, are no objects', () => {
  for (const row of [
    [2, 30, 30, 20, 20],
    [-1, 30, 30, 20, 20],
    [1, Number.NaN, 30, 20, 20],
    [1, 30, 30, Number.POSITIVE_INFINITY, 20],
    [Number.NaN, 30, 30, 20, 20],
  ]) {
    const scene: Scene = { height: 64, width: 64, classes: 2, images: [[row]], seed: 1, name: 'v0.3' };
    for (const by of implementations) assert.is(assign(scene, makeRaw(scene), by).numFg, 0);
  }
});

test('no labels, and no classes', () => {
  const anchors = anchorGrid(32, 32);
  for (const implementation of Object.values(IMPLEMENTATIONS)) {
    const assignment = implementation(tf.zeros([2, anchors.count, 8]), tf.zeros([2, 0, 5]), anchors);
    assert.ok(assignment.matchedGt.dataSync().every((row) => row === -1));
    assert.is(assignment.numFg.dataSync()[0], 0);
    const classless = implementation(tf.zeros([1, anchors.count, 5]), tf.ones([1, 2, 5]), anchors);
    assert.is(classless.numFg.dataSync()[0], 0);
    tf.dispose([assignment, classless]);
  }
});

if (nativeOps) {
  test('shapes that do not fit are refused, with what was expected and received', () => {
    const anchors = anchorGrid(32, 32);
    const refused = (raw: number[], labels: number[], message: RegExp) =>
      assert.throws(() => simOtaAssign(tf.zeros(raw), tf.zeros(labels), anchors), message);
    refused([1, 20, 8], [1, 2, 5], /YoloxSimOtaAssign: expected raw of shape \[N,21,5\+C\], received \[1,20,8\]/);
    refused([1, 21, 4], [1, 2, 5], /expected raw/);
    refused([2, 21, 8], [1, 2, 5], /expected labels of shape \[2,M,5\], received \[1,2,5\]/);
    refused([1, 21, 8], [1, 2, 6], /expected labels/);
    assert.throws(
      () => simOtaAssign(tf.zeros([1, 20, 8]), tf.zeros([1, 2, 5]), { ...anchors, height: 40 }),
      /expected an input of multiples of the stride 16, received 40 x 32/,
    );
  });
}

test('no tensor is left behind', () => {
  const scene: Scene = { height: 64, width: 64, classes: 2, images: [[[1, 30, 30, 20, 20]]], seed: 1, name: 'main' };
  const before = tf.memory().numTensors;
  for (const by of implementations) assign(scene, makeRaw(scene), by);
  assert.is(tf.memory().numTensors, before);
});

test('matched anchors are candidates and learn an object of their image', () =>
  fc.assert(
    fc.property(scenes(20, 2), (scene) => {
      const raw = makeRaw(scene);
      const { candidate } = defineScene(scene, raw);
      const { matchedGt, matchedIou, numFg } = assign(scene, raw);
      const size = matchedGt.length / scene.images.length;
      matchedGt.forEach((row, i) => {
        if (row < 0) assert.is(matchedIou[i], 0);
        else {
          assert.ok(candidate[i]);
          assert.not.equal(scene.images[Math.floor(i / size)][row], EMPTY);
        }
      });
      assert.is(numFg, matchedGt.filter((row) => row >= 0).length);
    }),
    { numRuns: 100 },
  ));

test('the same again, and each image on its own', () =>
  fc.assert(
    fc.property(scenes(8), (scene) => {
      const raw = makeRaw(scene);
      const together = assign(scene, raw);
      assert.equal(assign(scene, raw), together);
      const size = raw.length / scene.images.length;
      const alone = scene.images.map((image, n) =>
        assign({ ...scene, images: [image] }, raw.subarray(n * size, (n + 1) * size)),
      );
      assert.equal(
        alone.flatMap(({ matchedGt }) => [...matchedGt]),
        [...together.matchedGt],
      );
      assert.equal(
        alone.flatMap(({ matchedIou }) => [...matchedIou]),
        [...together.matchedIou],
      );
    }),
    { numRuns: 50 },
  ));

test('label rows in another order change nothing but the row numbers', () =>
  fc.assert(
    fc.property(scenes(8), fc.nat(1e6), (scene, seed) => {
      const raw = makeRaw(scene);
      const { close, tied } = defineScene(scene, raw);
      fc.pre(!close && !tied);
      const random = new Random(seed);
      const orders = scene.images.map((image) => random.shuffle(image.map((_, row) => row)));
      const shuffled = scene.images.map((image, n) => orders[n].map((row) => image[row]));
      const [before, after] = [assign(scene, raw), assign({ ...scene, images: shuffled }, raw)];
      const size = before.matchedGt.length / scene.images.length;
      const original = after.matchedGt.map((row, i) => (row < 0 ? -1 : orders[Math.floor(i / size)][row]));
      assert.equal(original, before.matchedGt);
      assert.equal(after.matchedIou, before.matchedIou);
    }),
    { numRuns: 100 },
  ));

test('images without objects, or with objects beyond the reach of every anchor, are background', () => {
  for (const name of ['main', 'v0.3'] as const) {
    for (const image of [[], [EMPTY, EMPTY], [[1, 500, 500, 20, 20]]]) {
      const { matchedGt, matchedIou, numFg } = assign({
        height: 64,
        width: 64,
        classes: 2,
        images: [image],
        seed: 1,
        name,
      });
      assert.ok(matchedGt.every((row) => row === -1) && matchedIou.every((iou) => iou === 0) && numFg === 0);
    }
  }
});

test.run();
