import type { Preprocess } from '../../config/preprocess.js';

/** RGB interleaved bytes, row-major. */
interface Pixels {
  width: number;
  height: number;
  data: Uint8Array;
}

/** x' = a·x + b·y + c, y' = d·x + e·y + f. */
export type Affine = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/** A picture, scaled, on a canvas; it shows only inside its rectangle. */
export interface Tile {
  /** Index into the pictures given with the recipe. */
  picture: number;
  /** Canvas rectangle, right and bottom exclusive. */
  left: number;
  top: number;
  right: number;
  bottom: number;
  /** Canvas position of the picture's top-left corner, and its enlargement along both axes. */
  x: number;
  y: number;
  scaleX: number;
  scaleY: number;
}

/** A canvas seen through an affine. */
export interface Layer {
  tiles: readonly Tile[];
  /** Canvas size; `pad` shows between the tiles, `outside` beyond the canvas. Grey levels 0–255. */
  width: number;
  height: number;
  pad: number;
  outside: number;
  /** Output coordinates → canvas coordinates, both with pixel (0, 0) covering [0, 1). */
  inverse: Affine;
}

/** How one training picture is made. */
export interface Recipe {
  /** One layer, or two that are averaged (mixup). */
  layers: readonly Layer[];
  /** Added to hue (0–180), saturation and value (0–255), as OpenCV scales them. */
  hsv: readonly [number, number, number];
}

/**
 * Draws a recipe into `out`, NHWC float32, from element `offset` on: `preprocess.size` pixels in its channel order,
 * scaled and normalised. Bilinear, edges of pictures repeated; each layer is rounded to whole grey levels.
 */
export function mosaicWarp(
  recipe: Recipe,
  pictures: readonly Pixels[],
  preprocess: Preprocess,
  out: Float32Array,
  offset = 0,
): void {
  const [height, width] = preprocess.size;
  const image = out.subarray(offset, offset + height * width * 3);
  const weight = 1 / recipe.layers.length;
  image.fill(0);
  for (const layer of recipe.layers) drawLayer(layer, pictures, width, height, weight, image);
  if (recipe.hsv.some((shift) => shift !== 0)) shiftColours(image, recipe.hsv);
  normalise(image, preprocess);
}

function drawLayer(
  layer: Layer,
  pictures: readonly Pixels[],
  width: number,
  height: number,
  weight: number,
  image: Float32Array,
): void {
  const [a, b, c, d, e, f] = layer.inverse;
  const { tiles } = layer;
  let tile: Tile | undefined = tiles[0];
  let i = 0;
  for (let py = 0; py < height; py++) {
    for (let px = 0; px < width; px++, i += 3) {
      const x = a * (px + 0.5) + b * (py + 0.5) + c;
      const y = d * (px + 0.5) + e * (py + 0.5) + f;
      if (x < 0 || y < 0 || x >= layer.width || y >= layer.height) {
        addGrey(image, i, layer.outside * weight);
        continue;
      }
      // Neighbouring pixels mostly lie in the same tile.
      if (!tile || !contains(tile, x, y)) tile = tiles.find((candidate) => contains(candidate, x, y));
      if (tile) {
        addSample(image, i, pictures[tile.picture], (x - tile.x) / tile.scaleX, (y - tile.y) / tile.scaleY, weight);
      } else {
        addGrey(image, i, layer.pad * weight);
      }
    }
  }
}

const contains = (tile: Tile, x: number, y: number): boolean =>
  x >= tile.left && x < tile.right && y >= tile.top && y < tile.bottom;

function addGrey(image: Float32Array, i: number, level: number): void {
  image[i] += level;
  image[i + 1] += level;
  image[i + 2] += level;
}

/** Bilinear with pixel centres at halves. */
function addSample(image: Float32Array, i: number, picture: Pixels, x: number, y: number, weight: number): void {
  const { width, height, data } = picture;
  const cx = Math.min(Math.max(x - 0.5, 0), width - 1);
  const cy = Math.min(Math.max(y - 0.5, 0), height - 1);
  const x0 = Math.floor(cx);
  const y0 = Math.floor(cy);
  const fx = cx - x0;
  const fy = cy - y0;
  const right = x0 + 1 < width ? 3 : 0;
  const below = y0 + 1 < height ? width * 3 : 0;
  let at = (y0 * width + x0) * 3;
  for (let channel = 0; channel < 3; channel++, at++) {
    const top = data[at] + (data[at + right] - data[at]) * fx;
    const bottom = data[at + below] + (data[at + below + right] - data[at + below]) * fx;
    image[i + channel] += Math.round(top + (bottom - top) * fy) * weight;
  }
}

/** OpenCV's 8-bit HSV: hue wraps at 180, saturation and value are cut to 0–255. */
function shiftColours(image: Float32Array, [dh, ds, dv]: Recipe['hsv']): void {
  for (let i = 0; i < image.length; i += 3) {
    const [r, g, b] = [image[i], image[i + 1], image[i + 2]];
    const max = Math.max(r, g, b);
    const chroma = max - Math.min(r, g, b);
    const sextant =
      chroma === 0
        ? 0
        : max === r
          ? ((g - b) / chroma + 6) % 6
          : max === g
            ? (b - r) / chroma + 2
            : (r - g) / chroma + 4;
    const hue = (((sextant * 30 + dh) % 180) + 180) % 180;
    const saturation = clip(max === 0 ? ds : (255 * chroma) / max + ds);
    const value = clip(max + dv);
    const sector = hue / 30;
    const level = (n: number) => {
      const k = (n + sector) % 6;
      return Math.round(value - (value * saturation * Math.max(0, Math.min(k, 4 - k, 1))) / 255);
    };
    image[i] = level(5);
    image[i + 1] = level(3);
    image[i + 2] = level(1);
  }
}

const clip = (level: number): number => Math.min(Math.max(level, 0), 255);

function normalise(image: Float32Array, { color, scale, mean, std }: Preprocess): void {
  const [first, last] = color === 'bgr' ? [2, 0] : [0, 2];
  const gain = std.map((deviation) => scale / deviation);
  const shift = mean.map((level, channel) => level / std[channel]);
  for (let i = 0; i < image.length; i += 3) {
    const [a, b, c] = [image[i + first], image[i + 1], image[i + last]];
    image[i] = a * gain[0] - shift[0];
    image[i + 1] = b * gain[1] - shift[1];
    image[i + 2] = c * gain[2] - shift[2];
  }
}
