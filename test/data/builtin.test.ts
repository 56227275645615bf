import sharp from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../src/base/random.js';
import { BUILTIN_CATEGORIES, type BuiltinImage, generateBuiltin } from '../../src/data/builtin/index.js';
import { maskScene } from '../../src/data/builtin/mask.js';
import { composeScene, KINDS, type Layer } from '../../src/data/builtin/scene.js';
import { paint, rectangle, svg } from '../../src/data/builtin/shape.js';
import type { Box } from '../../src/detect/box.js';

const test = suite('builtin');

async function generate(images: number, seed: number, side = 128): Promise<BuiltinImage[]> {
  const all: BuiltinImage[] = [];
  for await (const image of generateBuiltin({ images, side, seed })) all.push(image);
  return all;
}

test('the seed and the index fix an image, whatever the number of images', async () => {
  const [some, more, other] = [await generate(3, 7), await generate(5, 7), await generate(3, 8)];
  assert.equal(more.slice(0, 3), some);
  for (const [i, { bytes }] of other.entries()) assert.not.ok(bytes.equals(some[i].bytes));
});

test('images are JPEGs of the stated size, boxes lie inside, ids count up', async () => {
  const images = await generate(30, 1, 160);
  for (const { image, annotations, bytes } of images) {
    const { format, width, height } = await sharp(bytes).metadata();
    assert.equal({ format, width, height }, { format: 'jpeg', width: image.width, height: image.height });
    assert.is(Math.max(width, height), 160);
    for (const {
      bbox: [x, y, w, h],
      area,
      image_id,
    } of annotations) {
      assert.is(image_id, image.id);
      assert.ok(x >= 0 && y >= 0 && w >= 4 && h >= 4 && x + w <= width && y + h <= height);
      assert.ok(area > 0 && area <= w * h);
    }
  }
  const ids = images.flatMap(({ annotations }) => annotations.map(({ id }) => id));
  assert.equal(
    ids,
    Array.from(ids, (_, i) => i + 1),
  );
  assert.equal(
    BUILTIN_CATEGORIES.map(({ id }) => id),
    [1, 2, 3, 4, 5],
  );
});

test('scenes vary: crowds and empty images, specks and giants, every class, unevenly', () => {
  const scenes = Array.from({ length: 600 }, (_, i) => composeScene(new Random('variety', i), 256));
  const counts = scenes.map(({ layers }) => layers.filter(({ kind }) => kind !== null).length);
  const empty = counts.filter((count) => count === 0).length / scenes.length;
  assert.ok(empty > 0.04 && empty < 0.1, `${empty} empty`);
  assert.equal([...new Set(counts)].sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  const objects = scenes.flatMap(({ layers }) => layers.filter(({ kind }) => kind !== null));
  const sizes = objects.map(({ placement }) => placement.scaleY * 100).sort((a, b) => a - b);
  assert.ok(sizes[0] < 14 && sizes[sizes.length - 1] > 150);
  const perKind = KINDS.map((_, kind) => objects.filter((layer) => layer.kind === kind).length);
  assert.ok(Math.min(...perKind) > 100 && Math.max(...perKind) > 1.8 * Math.min(...perKind), perKind.join(' '));
});

test('a box is the tight extent of what is painted', async () => {
  for (const [kind, { name, draw }] of KINDS.entries()) {
    for (let i = 0; i < 8; i++) {
      const random = new Random('tight', name, i);
      const scale = random.uniform(0.3, 1.4);
      const placement = { x: 100, y: 100, scaleX: -scale, scaleY: scale, rotation: random.normal(0, 30), skew: 3 };
      const layer: Layer = { drawing: draw(random), placement, kind, shadow: false };
      const { objects } = await maskScene({ width: 200, height: 200, backdrop: [], layers: [layer] });
      const painted = await extentOf(svg(200, 200, paint(layer.drawing, placement, 'x')));
      for (const [edge, value] of objects[0].bbox.entries()) {
        assert.ok(Math.abs(value - painted[edge]) <= 1.01, `${name} ${i}: ${objects[0].bbox} for ${painted}`);
      }
    }
  }
});

test('what stands before an object takes its share of the box and of the area', async () => {
  const upright = { x: 50, y: 50, scaleX: 1, scaleY: 1, rotation: 0, skew: 0 };
  const square = (kind: number | null, x: number): Layer => ({
    drawing: [{ path: rectangle(-20, -20, 40, 40), fill: 'red' }],
    placement: { ...upright, x },
    kind,
    shadow: true,
  });
  const { objects, ids } = await maskScene({
    width: 100,
    height: 100,
    backdrop: [],
    layers: [square(2, 50), square(null, 80)],
  });
  assert.equal(objects, [{ id: 1, kind: 2, bbox: [30, 30, 30, 40], area: 1200, unoccluded: 1600 }]);
  assert.is(ids.filter((id) => id === 1).length, 1200);
  const hidden = await maskScene({ width: 100, height: 100, backdrop: [], layers: [square(2, 50), square(null, 50)] });
  assert.equal(hidden.objects, []);
});

test('objects hidden by more than three quarters carry no box', async () => {
  const images = await generate(60, 3);
  let hidden = 0;
  for (const [i, { annotations }] of images.entries()) {
    const { objects } = await maskScene(composeScene(new Random(3, 'builtin', i), 128));
    const large = objects.filter(({ bbox: [, , width, height] }) => Math.min(width, height) >= 4);
    const seen = large.filter(({ area, unoccluded }) => area / unoccluded >= 0.25);
    assert.equal(
      annotations.map(({ bbox, area }) => ({ bbox, area })),
      seen.map(({ bbox, area }) => ({ bbox, area })),
    );
    hidden += large.length - seen.length;
  }
  assert.ok(hidden > 0);
});

/** Extent of the pixels at least half covered. */
async function extentOf(drawing: Buffer): Promise<Box> {
  const { data, info } = await sharp(drawing).extractChannel('alpha').raw().toBuffer({ resolveWithObject: true });
  const covered = Array.from(data.keys()).filter((p) => data[p] >= 128);
  const xs = covered.map((p) => p % info.width);
  const ys = covered.map((p) => Math.floor(p / info.width));
  const [left, top] = [xs, ys].map((values) => values.reduce((a, b) => Math.min(a, b)));
  const [right, bottom] = [xs, ys].map((values) => values.reduce((a, b) => Math.max(a, b)));
  return [left, top, right - left + 1, bottom - top + 1];
}

test.run();
