import type { Random } from '../../base/random.js';
import { type Backdrop, backdrop } from './backdrop.js';
import { clutter, foreground } from './clutter.js';
import { balloon } from './objects/balloon.js';
import { boat } from './objects/boat.js';
import { butterfly } from './objects/butterfly.js';
import { car } from './objects/car.js';
import { house } from './objects/house.js';
import { type Drawing, type Placement, UNITS } from './shape.js';

const EMPTY_SHARE = 0.07;
/** Fractions of images with 1, 2, … 8 objects. */
const OBJECT_COUNTS = [0.1, 0.15, 0.18, 0.18, 0.14, 0.11, 0.08, 0.06];
/** Smallest and largest object: side in pixels, and as a fraction of the image's longer side. */
const SMALLEST = 10;
const LARGEST = 0.7;

type Habitat = 'ground' | 'water' | 'air';

interface Kind {
  name: string;
  draw: (random: Random) => Drawing;
  /** Fraction of all objects. */
  share: number;
  habitat: Habitat;
  /** Standard deviation of the rotation, degrees. */
  tilt: number;
}

/** The classes, in the order of their category ids 1…n. */
export const KINDS: readonly Kind[] = [
  { name: 'car', draw: car, share: 0.3, habitat: 'ground', tilt: 5 },
  { name: 'house', draw: house, share: 0.24, habitat: 'ground', tilt: 3 },
  { name: 'boat', draw: boat, share: 0.18, habitat: 'water', tilt: 5 },
  { name: 'balloon', draw: balloon, share: 0.16, habitat: 'air', tilt: 6 },
  { name: 'butterfly', draw: butterfly, share: 0.12, habitat: 'air', tilt: 35 },
];

export interface Layer {
  drawing: Drawing;
  placement: Placement;
  /** Index in `KINDS`; null for things without a class. */
  kind: number | null;
  shadow: boolean;
}

/** An image before it is painted: layers from back to front. */
export interface Scene {
  width: number;
  height: number;
  backdrop: Drawing;
  layers: Layer[];
}

/** Composes a random image whose longer side is `side` pixels. */
export function composeScene(random: Random, side: number): Scene {
  const [width, height] = imageSize(random, side);
  const stage: Stage = { ...backdrop(random, width, height), width, height };
  const count = random.chance(EMPTY_SHARE) ? 0 : 1 + weighted(random, OBJECT_COUNTS);
  const layers: Layer[] = [];
  for (let i = random.int(0, count === 0 ? 10 : 4); i > 0; i--) {
    const size = objectSize(random, side, 7);
    layers.push(stand(random, stage, clutter(random), size, { habitat: 'ground', tilt: 10 }, layers));
  }
  const shares = KINDS.map(({ share, habitat }) => share * attraction(habitat, stage));
  for (let i = 0; i < count; i++) {
    const kind = weighted(random, shares);
    const size = objectSize(random, side, count);
    layers.push({ ...stand(random, stage, KINDS[kind].draw(random), size, KINDS[kind], layers), kind });
  }
  // Nearer things are lower in the image.
  const order = stage.horizon === null ? random.shuffle(layers) : layers.sort((a, b) => foot(a) - foot(b));
  for (let i = weighted(random, [0.65, 0.2, 0.1, 0.05]); i > 0; i--) {
    const size = side * random.uniform(0.25, 0.9);
    const { drawing, rooted } = foreground(random);
    const here = { x: random.uniform(0, width), y: rooted ? height - 0.38 * size : random.uniform(0, height) };
    order.push({ drawing, placement: pose(random, here, size, rooted ? 4 : 25), kind: null, shadow: false });
  }
  return { width, height, backdrop: stage.drawing, layers: order };
}

interface Stage extends Backdrop {
  width: number;
  height: number;
}

/** Boats prefer water; things that stand on the ground avoid it. */
function attraction(habitat: Habitat, { horizon, water }: Stage): number {
  if (horizon === null || habitat === 'air') return 1;
  return (habitat === 'water') === water ? 2 : 0.4;
}

function imageSize(random: Random, side: number): [width: number, height: number] {
  const shorter = Math.round(side * random.pick([1, 4 / 5, 4 / 5, 3 / 4, 3 / 4, 2 / 3]));
  return random.chance(0.7) ? [side, shorter] : [shorter, side];
}

/** Log-normal, smaller if there are many objects; one in fifty has any size. */
function objectSize(random: Random, side: number, count: number): number {
  const largest = side * LARGEST;
  if (random.chance(1 / 50)) return SMALLEST * (largest / SMALLEST) ** random.uniform();
  const median = side * (0.32 - 0.12 * Math.min(1, (count - 1) / 6));
  return Math.min(largest, Math.max(SMALLEST, median * Math.exp(random.normal(0, 0.42))));
}

/** Tries a few places and returns the first that hides little of the earlier layers, or the best one. */
function stand(
  random: Random,
  stage: Stage,
  drawing: Drawing,
  size: number,
  { habitat, tilt }: Pick<Kind, 'habitat' | 'tilt'>,
  others: readonly Layer[],
): Layer {
  const tolerance = random.uniform(0, 0.3);
  let best = { overlap: Number.POSITIVE_INFINITY, x: 0, y: 0 };
  for (let attempt = 0; attempt < 12 && best.overlap > tolerance; attempt++) {
    const here = spot(random, stage, size, habitat);
    const overlap = Math.max(0, ...others.map((other) => overlapOf(here, size, other)));
    if (overlap < best.overlap) best = { overlap, ...here };
  }
  return { drawing, placement: pose(random, best, size, tilt), kind: null, shadow: habitat === 'ground' };
}

/** A centre inside the image, usually where such an object belongs. */
function spot(
  random: Random,
  { width, height, horizon }: Stage,
  size: number,
  habitat: Habitat,
): { x: number; y: number } {
  const x = random.uniform(0.12, 0.88) * width;
  if (horizon === null || random.chance(0.12)) return { x, y: random.uniform(0.14, 0.86) * height };
  if (habitat === 'air') return { x, y: random.uniform(0.14, 0.75) * height };
  const nearness = Math.min(1, (size / (0.55 * Math.max(width, height))) ** 0.8 + random.uniform(0, 0.25));
  return { x, y: Math.max(0.1 * height, horizon + nearness * (height - horizon) - size * 0.35) };
}

/** Rotates, mirrors and slightly stretches a drawing. */
function pose(random: Random, { x, y }: { x: number; y: number }, size: number, tilt: number): Placement {
  const scale = size / UNITS;
  const stretch = random.uniform(0.92, 1.09);
  return {
    x,
    y,
    scaleX: scale * stretch * random.pick([-1, 1]),
    scaleY: scale / stretch,
    rotation: random.normal(0, tilt),
    skew: random.normal(0, 3),
  };
}

const foot = ({ placement }: Layer) => placement.y + placement.scaleY * UNITS * 0.4;

/** Intersection of two squares as a fraction of the smaller one. */
function overlapOf(here: { x: number; y: number }, size: number, { placement }: Layer): number {
  const other = placement.scaleY * UNITS;
  const along = (distance: number) => Math.max(0, Math.min(size, other, (size + other) / 2 - Math.abs(distance)));
  return (along(here.x - placement.x) * along(here.y - placement.y)) / Math.min(size, other) ** 2;
}

/** Draws a random index with the given weights. */
function weighted(random: Random, shares: readonly number[]): number {
  let left = random.uniform(
    0,
    shares.reduce((sum, share) => sum + share),
  );
  for (let i = 0; i < shares.length - 1; i++) {
    left -= shares[i];
    if (left < 0) return i;
  }
  return shares.length - 1;
}
