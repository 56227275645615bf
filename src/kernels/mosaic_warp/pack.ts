import { UserError } from '../../base/errors.js';
import type { Layer, Pixels, Tile, WarpPlan } from './warp_plan.js';

/** What makes the images of a batch, as few numbers as the op needs: it travels between threads without copies. */
export interface PackedBatch {
  /** All images, RGB interleaved, each from a multiple of 256 bytes on and followed by at least 8. */
  pixels: Uint8Array;
  /** [P, 3]: where an image begins, in units of 256 bytes (so that float32 holds it), its height, its width. */
  images: Float32Array;
  /**
   * [N, PLAN_LENGTH]: count of layers, hsv, then for each of two layers: count of tiles, width, height, pad, outside,
   * inverse, and for each of four tiles the fields of `Tile` in their order. What is not used is zero.
   */
  plans: Float32Array;
}

/** Layout of the native op (mosaic_warp.h). */
const ALIGNMENT = 256;
const SLACK = 8;
const MAX_UNITS = 2 ** 24;
const MAX_LAYERS = 2;
const MAX_TILES = 4;
const TILE_LENGTH = 9;
const LAYER_HEAD = 11;
const LAYER_LENGTH = LAYER_HEAD + MAX_TILES * TILE_LENGTH;
const PLAN_HEAD = 4;
export const PLAN_LENGTH = PLAN_HEAD + MAX_LAYERS * LAYER_LENGTH;

/**
 * Packs plans with their images. An image that several plans show is kept once, where it is the same object.
 *
 * @throws RangeError for more layers or more tiles of a layer than the op takes
 * @throws UserError for more bytes of images than it takes (4 GiB)
 */
export function packBatch(items: readonly { plan: WarpPlan; images: readonly Pixels[] }[]): PackedBatch {
  const indices = new Map<Pixels, number>();
  for (const { images } of items) {
    for (const image of images) if (!indices.has(image)) indices.set(image, indices.size);
  }
  const plans = new Float32Array(items.length * PLAN_LENGTH);
  for (const [n, { plan, images }] of items.entries()) {
    const numbers = planNumbers(plan, ({ image }) => indices.get(images[image]) as number);
    plans.set(numbers, n * PLAN_LENGTH);
  }
  return { ...packImages([...indices.keys()]), plans };
}

function packImages(list: readonly Pixels[]): { pixels: Uint8Array; images: Float32Array } {
  const images = new Float32Array(list.length * 3);
  let units = 0;
  for (const [i, { width, height }] of list.entries()) {
    images.set([units, height, width], 3 * i);
    units += Math.ceil((width * height * 3 + SLACK) / ALIGNMENT);
  }
  if (units > MAX_UNITS) {
    throw new UserError({
      where: 'a batch of training images',
      expected: `at most ${MAX_UNITS * ALIGNMENT} bytes`,
      received: units * ALIGNMENT,
      hint: 'Lower train.batch.',
    });
  }
  // Written in full but for the gaps, which are read and never shown: zeroing it first would cost as much as copying.
  const pixels = Buffer.allocUnsafeSlow(units * ALIGNMENT);
  for (const [i, { data }] of list.entries()) pixels.set(data, images[3 * i] * ALIGNMENT);
  return { pixels, images };
}

function planNumbers({ layers, hsv }: WarpPlan, imageOf: (tile: Tile) => number): Float32Array {
  checkCount('layers', layers.length, MAX_LAYERS);
  const numbers = new Float32Array(PLAN_LENGTH);
  numbers.set([layers.length, ...hsv]);
  for (const [i, { tiles, width, height, pad, outside, inverse }] of layers.entries()) {
    checkCount('tiles', tiles.length, MAX_TILES);
    const start = PLAN_HEAD + i * LAYER_LENGTH;
    numbers.set([tiles.length, width, height, pad, outside, ...inverse], start);
    for (const [k, tile] of tiles.entries()) {
      const { left, top, right, bottom, x, y } = tile;
      const place = [imageOf(tile), left, top, right, bottom, x, y, tile.width, tile.height];
      numbers.set(place, start + LAYER_HEAD + k * TILE_LENGTH);
    }
  }
  return numbers;
}

function checkCount(what: string, received: number, most: number): void {
  if (received > most) throw new RangeError(`mosaicWarp: expected at most ${most} ${what}, received ${received}`);
}

/** The images of a packed batch, in place. */
export function unpackImages({ pixels, images }: PackedBatch): Pixels[] {
  return Array.from({ length: images.length / 3 }, (_, i) => {
    const [units, height, width] = images.subarray(3 * i, 3 * i + 3);
    const start = units * ALIGNMENT;
    return { width, height, data: pixels.subarray(start, start + width * height * 3) };
  });
}

/** The plans of a packed batch; their tiles count images through the whole batch. */
export function unpackPlans({ plans }: PackedBatch): WarpPlan[] {
  return Array.from({ length: plans.length / PLAN_LENGTH }, (_, n) => {
    const numbers = plans.subarray(n * PLAN_LENGTH, (n + 1) * PLAN_LENGTH);
    const [layers, h, s, v] = numbers;
    return {
      layers: Array.from({ length: layers }, (_, i) => unpackLayer(numbers.subarray(PLAN_HEAD + i * LAYER_LENGTH))),
      hsv: [h, s, v],
    };
  });
}

function unpackLayer(numbers: Float32Array): Layer {
  const [count, width, height, pad, outside, a, b, c, d, e, f] = numbers;
  const tiles = Array.from({ length: count }, (_, k): Tile => {
    const [image, left, top, right, bottom, x, y, w, h] = numbers.subarray(LAYER_HEAD + k * TILE_LENGTH);
    return { image, left, top, right, bottom, x, y, width: w, height: h };
  });
  return { tiles, width, height, pad, outside, inverse: [a, b, c, d, e, f] };
}
