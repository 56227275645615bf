import type { Random } from '../../base/random.js';
import { PAD } from '../../config/preprocess.js';
import type { TrainConfig } from '../../config/schema.js';
import type { Box } from '../../detect/box.js';
import { fittedSize, letterboxRatio } from '../../image/letterbox.js';
import type { Affine, Layer, Tile, WarpPlan } from '../../kernels/mosaic_warp/index.js';

/** A training image: what it is called, where its file is, its size, and its objects. */
export interface Example {
  name: string;
  path: string;
  width: number;
  height: number;
  objects: { classIndex: number; bbox: Box }[];
}

/** A plan with the files of its images, and the boxes that come out of it. */
export interface AugmentedExample {
  plan: WarpPlan;
  paths: string[];
  labels: Label[];
}

/** Output pixels. */
interface Label {
  classIndex: number;
  x1: number;
  y1: number;
  x2: number;
  y2: number;
}

type Augment = TrainConfig['augment'];
type Size = readonly [height: number, width: number];

/** Boxes with a side up to this many pixels are dropped (yolox/data/data_augment.py, TrainTransform). */
const MIN_SIDE = 1;

/** Letterboxed with flip and colour shifts only: the last epochs. */
export function lightExample(example: Example, size: Size, augment: Augment, random: Random): AugmentedExample {
  const scene = letterboxed(example, size);
  return finish(maybeFlip(scene, size, augment, random), sampleHsv(augment, random));
}

/**
 * Mosaic of four images, affine, mixup, flip and colour shifts, as YOLOX does it, but for one thing: the affine
 * turns the mosaic about its centre, not its corner, so that all four images have the same chance to be seen.
 * `draw` gives a random other image.
 */
export function strongExample(
  example: Example,
  draw: () => Example,
  size: Size,
  augment: Augment,
  random: Random,
): AugmentedExample {
  if (!random.chance(augment.mosaic)) return lightExample(example, size, augment, random);
  const scene = mosaic([example, draw(), draw(), draw()], size, augment, random);
  const partner = draw();
  const mixed =
    random.chance(augment.mixup) && partner.objects.length > 0 ? mixup(scene, partner, size, augment, random) : scene;
  return finish(maybeFlip(mixed, size, augment, random), sampleHsv(augment, random));
}

/** Layers with the images they show and the boxes on the output. */
interface Scene {
  layers: Layer[];
  paths: string[];
  labels: Label[];
}

function finish({ layers, paths, labels }: Scene, hsv: WarpPlan['hsv']): AugmentedExample {
  return {
    plan: { layers, hsv },
    paths,
    labels: labels.filter(({ x1, y1, x2, y2 }) => x2 - x1 > MIN_SIDE && y2 - y1 > MIN_SIDE),
  };
}

function letterboxed(example: Example, size: Size): Scene {
  const [height, width] = size;
  const { rows: bottom, columns: right } = fittedSize(example, size);
  const tile: Tile = { image: 0, left: 0, top: 0, right, bottom, x: 0, y: 0, width: right, height: bottom };
  const layer: Layer = { tiles: [tile], width, height, pad: PAD, outside: PAD, inverse: [1, 0, 0, 0, 1, 0] };
  return { layers: [layer], paths: [example.path], labels: onCanvas(example, tile) };
}

function mosaic(examples: Example[], [height, width]: Size, augment: Augment, random: Random): Scene {
  const cx = random.uniform(0.5, 1.5) * width;
  const cy = random.uniform(0.5, 1.5) * height;
  const tiles = examples.map((example, i): Tile => {
    const scale = letterboxRatio(example, [height, width]);
    const [w, h] = [example.width * scale, example.height * scale];
    const x = i % 2 === 0 ? cx - w : cx;
    const y = i < 2 ? cy - h : cy;
    return {
      image: i,
      left: Math.max(x, 0),
      top: Math.max(y, 0),
      right: Math.min(x + w, 2 * width),
      bottom: Math.min(y + h, 2 * height),
      x,
      y,
      width: w,
      height: h,
    };
  });
  const forward = sampleAffine([height, width], augment, random);
  const labels = examples.flatMap((example, i) => onCanvas(example, tiles[i]));
  return {
    layers: [{ tiles, width: 2 * width, height: 2 * height, pad: PAD, outside: PAD, inverse: invert(forward) }],
    paths: examples.map(({ path }) => path),
    labels: labels.map((label) => transform(label, forward, [height, width])),
  };
}

/** Canvas (twice the output) → output: rotation, scale, shear about the centre, and a shift. */
function sampleAffine([height, width]: Size, augment: Augment, random: Random): Affine {
  const { degrees, scale, shear, translate } = augment;
  const angle = radians(random.uniform(-degrees, degrees));
  const s = random.uniform(...scale);
  const shearX = Math.tan(radians(random.uniform(-shear, shear)));
  const shearY = Math.tan(radians(random.uniform(-shear, shear)));
  const [cos, sin] = [s * Math.cos(angle), s * Math.sin(angle)];
  const [a, b] = [cos - shearY * sin, sin + shearY * cos];
  const [d, e] = [-sin + shearX * cos, cos + shearX * sin];
  const tx = width * (0.5 + random.uniform(-translate, translate));
  const ty = height * (0.5 + random.uniform(-translate, translate));
  return [a, b, tx - a * width - b * height, d, e, ty - d * width - e * height];
}

/** Averages the scene with a letterboxed, resized, perhaps flipped and cropped other image. */
function mixup(scene: Scene, partner: Example, [height, width]: Size, augment: Augment, random: Random): Scene {
  const jitter = random.uniform(...augment.mixupScale);
  const flipped = random.chance(0.5);
  const [w, h] = [width * jitter, height * jitter];
  const shiftX = random.uniform(0, Math.max(0, w - width));
  const shiftY = random.uniform(0, Math.max(0, h - height));
  const other = letterboxed(partner, [height, width]);
  const forward: Affine = flipped
    ? [-jitter, 0, w - shiftX, 0, jitter, -shiftY]
    : [jitter, 0, -shiftX, 0, jitter, -shiftY];
  const [layer] = other.layers;
  const first = scene.paths.length;
  return {
    layers: [
      ...scene.layers,
      {
        ...layer,
        tiles: layer.tiles.map((tile) => ({ ...tile, image: first })),
        outside: 0,
        inverse: invert(forward),
      },
    ],
    paths: [...scene.paths, ...other.paths],
    labels: [...scene.labels, ...other.labels.map((label) => transform(label, forward, [height, width]))],
  };
}

function maybeFlip(scene: Scene, [, width]: Size, { flip }: Augment, random: Random): Scene {
  if (!random.chance(flip)) return scene;
  return {
    ...scene,
    layers: scene.layers.map((layer) => ({ ...layer, inverse: flipInput(layer.inverse, width) })),
    labels: scene.labels.map((label) => ({ ...label, x1: width - label.x2, x2: width - label.x1 })),
  };
}

function flipInput([a, b, c, d, e, f]: Affine, width: number): Affine {
  return [-a, b, c + a * width, -d, e, f + d * width];
}

/** Each shift is applied with probability one half. */
function sampleHsv({ hsv }: Augment, random: Random): [number, number, number] {
  const shift = (limit: number) => {
    const amount = Math.trunc(random.uniform(-limit, limit));
    return random.chance(0.5) ? amount : 0;
  };
  return [shift(hsv[0]), shift(hsv[1]), shift(hsv[2])];
}

/** An image's boxes where a tile puts them, cut to the tile. */
function onCanvas({ objects, width, height }: Example, tile: Tile): Label[] {
  const [scaleX, scaleY] = [tile.width / width, tile.height / height];
  const labels = objects.map(({ classIndex, bbox: [x, y, w, h] }) => ({
    classIndex,
    x1: clamp(tile.x + x * scaleX, tile.left, tile.right),
    y1: clamp(tile.y + y * scaleY, tile.top, tile.bottom),
    x2: clamp(tile.x + (x + w) * scaleX, tile.left, tile.right),
    y2: clamp(tile.y + (y + h) * scaleY, tile.top, tile.bottom),
  }));
  return labels.filter(({ x1, y1, x2, y2 }) => x2 > x1 && y2 > y1);
}

/** The upright box around a transformed one, cut to the output. */
function transform({ classIndex, x1, y1, x2, y2 }: Label, [a, b, c, d, e, f]: Affine, [height, width]: Size): Label {
  const corners = [
    [x1, y1],
    [x2, y1],
    [x1, y2],
    [x2, y2],
  ];
  const xs = corners.map(([x, y]) => clamp(a * x + b * y + c, 0, width));
  const ys = corners.map(([x, y]) => clamp(d * x + e * y + f, 0, height));
  return { classIndex, x1: Math.min(...xs), y1: Math.min(...ys), x2: Math.max(...xs), y2: Math.max(...ys) };
}

function invert([a, b, c, d, e, f]: Affine): Affine {
  const det = a * e - b * d;
  return [e / det, -b / det, (b * f - e * c) / det, -d / det, a / det, (d * c - a * f) / det];
}

const radians = (degrees: number): number => (degrees * Math.PI) / 180;
const clamp = (x: number, low: number, high: number): number => Math.min(Math.max(x, low), high);
