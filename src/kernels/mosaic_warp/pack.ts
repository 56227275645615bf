import { UserError } from '../../base/errors.js';
import type { Layer, Pixels, Recipe, Tile } from './recipe.js';

/** What makes the pictures of a batch, as few numbers as the op needs: it travels between threads without copies. */
export interface PackedBatch {
  /** All pictures, RGB interleaved, each from a multiple of 256 bytes on and followed by at least 8. */
  pixels: Uint8Array;
  /** [P, 3]: where a picture begins, in units of 256 bytes (so that float32 holds it), its height, its width. */
  pictures: Float32Array;
  /**
   * [N, RECIPE_LENGTH]: count of layers, hsv, then for each of two layers: count of tiles, width, height, pad, outside,
   * inverse, and for each of four tiles the fields of `Tile` in their order. What is not used is zero.
   */
  recipes: Float32Array;
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
const RECIPE_HEAD = 4;
export const RECIPE_LENGTH = RECIPE_HEAD + MAX_LAYERS * LAYER_LENGTH;

/**
 * Packs recipes with their pictures. A picture that several recipes show is kept once, where it is the same object.
 *
 * @throws RangeError for more layers or more tiles of a layer than the op takes
 * @throws UserError for more bytes of pictures than it takes (4 GiB)
 */
export function packBatch(items: readonly { recipe: Recipe; pictures: readonly Pixels[] }[]): PackedBatch {
  const indices = new Map<Pixels, number>();
  for (const { pictures } of items) {
    for (const picture of pictures) if (!indices.has(picture)) indices.set(picture, indices.size);
  }
  const recipes = new Float32Array(items.length * RECIPE_LENGTH);
  for (const [n, { recipe, pictures }] of items.entries()) {
    const numbers = recipeNumbers(recipe, ({ picture }) => indices.get(pictures[picture]) as number);
    recipes.set(numbers, n * RECIPE_LENGTH);
  }
  return { ...packPictures([...indices.keys()]), recipes };
}

function packPictures(list: readonly Pixels[]): { pixels: Uint8Array; pictures: Float32Array } {
  const pictures = new Float32Array(list.length * 3);
  let units = 0;
  for (const [i, { width, height }] of list.entries()) {
    pictures.set([units, height, width], 3 * i);
    units += Math.ceil((width * height * 3 + SLACK) / ALIGNMENT);
  }
  if (units > MAX_UNITS) {
    throw new UserError({
      where: 'a batch of training pictures',
      expected: `at most ${MAX_UNITS * ALIGNMENT} bytes`,
      received: units * ALIGNMENT,
      hint: 'Lower train.batch.',
    });
  }
  // Written in full but for the gaps, which are read and never shown: zeroing it first would cost as much as copying.
  const pixels = Buffer.allocUnsafeSlow(units * ALIGNMENT);
  for (const [i, { data }] of list.entries()) pixels.set(data, pictures[3 * i] * ALIGNMENT);
  return { pixels, pictures };
}

function recipeNumbers({ layers, hsv }: Recipe, pictureOf: (tile: Tile) => number): Float32Array {
  checkCount('layers', layers.length, MAX_LAYERS);
  const numbers = new Float32Array(RECIPE_LENGTH);
  numbers.set([layers.length, ...hsv]);
  for (const [i, { tiles, width, height, pad, outside, inverse }] of layers.entries()) {
    checkCount('tiles', tiles.length, MAX_TILES);
    const start = RECIPE_HEAD + i * LAYER_LENGTH;
    numbers.set([tiles.length, width, height, pad, outside, ...inverse], start);
    for (const [k, tile] of tiles.entries()) {
      const { left, top, right, bottom, x, y } = tile;
      const place = [pictureOf(tile), left, top, right, bottom, x, y, tile.width, tile.height];
      numbers.set(place, start + LAYER_HEAD + k * TILE_LENGTH);
    }
  }
  return numbers;
}

function checkCount(what: string, received: number, most: number): void {
  if (received > most) throw new RangeError(`mosaicWarp: expected at most ${most} ${what}, received ${received}`);
}

/** The pictures of a packed batch, in place. */
export function unpackPictures({ pixels, pictures }: PackedBatch): Pixels[] {
  return Array.from({ length: pictures.length / 3 }, (_, i) => {
    const [units, height, width] = pictures.subarray(3 * i, 3 * i + 3);
    const start = units * ALIGNMENT;
    return { width, height, data: pixels.subarray(start, start + width * height * 3) };
  });
}

/** The recipes of a packed batch; their tiles count pictures through the whole batch. */
export function unpackRecipes({ recipes }: PackedBatch): Recipe[] {
  return Array.from({ length: recipes.length / RECIPE_LENGTH }, (_, n) => {
    const numbers = recipes.subarray(n * RECIPE_LENGTH, (n + 1) * RECIPE_LENGTH);
    const [layers, h, s, v] = numbers;
    return {
      layers: Array.from({ length: layers }, (_, i) => unpackLayer(numbers.subarray(RECIPE_HEAD + i * LAYER_LENGTH))),
      hsv: [h, s, v],
    };
  });
}

function unpackLayer(numbers: Float32Array): Layer {
  const [count, width, height, pad, outside, a, b, c, d, e, f] = numbers;
  const tiles = Array.from({ length: count }, (_, k): Tile => {
    const [picture, left, top, right, bottom, x, y, w, h] = numbers.subarray(LAYER_HEAD + k * TILE_LENGTH);
    return { picture, left, top, right, bottom, x, y, width: w, height: h };
  });
  return { tiles, width, height, pad, outside, inverse: [a, b, c, d, e, f] };
}
