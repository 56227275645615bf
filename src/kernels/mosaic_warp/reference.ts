import type { Preprocess } from '../../config/preprocess.js';
import { type Tensor4D, tf } from '../tf.js';
import { type PackedBatch, unpackImages, unpackPlans } from './pack.js';
import type { Layer, Pixels, Tile, WarpPlan } from './warp_plan.js';

/** Whole levels: a half goes up, and so does what float32 may take for one. */
const HALF = 0.5 + 2 ** -10;

/** See index.ts. */
export function mosaicWarp(batch: PackedBatch, preprocess: Preprocess): Tensor4D {
  const [height, width] = preprocess.size;
  const images = unpackImages(batch);
  const plans = unpackPlans(batch);
  const length = height * width * 3;
  const out = new Float32Array(plans.length * length);
  for (const [n, plan] of plans.entries()) drawPlan(plan, images, preprocess, out, n * length);
  return tf.tensor4d(out, [plans.length, height, width, 3]);
}

/**
 * Draws a plan into `out`, NHWC float32, from element `offset` on: `preprocess.size` pixels in its channel order,
 * scaled and normalised. Bilinear, edges of images repeated; each layer is rounded to whole grey levels.
 */
export function drawPlan(
  plan: WarpPlan,
  images: readonly Pixels[],
  preprocess: Preprocess,
  out: Float32Array,
  offset = 0,
): void {
  const [height, width] = preprocess.size;
  const image = out.subarray(offset, offset + height * width * 3);
  const weight = 1 / plan.layers.length;
  image.fill(0);
  for (const layer of plan.layers) drawLayer(layer, images, width, height, weight, image);
  if (plan.hsv.some((shift) => shift !== 0)) shiftColours(image, plan.hsv);
  normalise(image, preprocess);
}

function drawLayer(
  layer: Layer,
  images: readonly Pixels[],
  width: number,
  height: number,
  weight: number,
  out: Float32Array,
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
        addGrey(out, i, layer.outside * weight);
        continue;
      }
      // Neighbouring pixels mostly lie in the same tile.
      if (!tile || !contains(tile, x, y)) tile = tiles.find((candidate) => contains(candidate, x, y));
      if (tile) {
        const image = images[tile.image];
        const sx = ((x - tile.x) * image.width) / tile.width;
        const sy = ((y - tile.y) * image.height) / tile.height;
        addSample(out, i, image, sx, sy, weight);
      } else {
        addGrey(out, i, layer.pad * weight);
      }
    }
  }
}

const contains = (tile: Tile, x: number, y: number): boolean =>
  x >= tile.left && x < tile.right && y >= tile.top && y < tile.bottom;

function addGrey(out: Float32Array, i: number, level: number): void {
  out[i] += level;
  out[i + 1] += level;
  out[i + 2] += level;
}

/** Bilinear with pixel centres at halves. */
function addSample(out: Float32Array, i: number, image: Pixels, x: number, y: number, weight: number): void {
  const { width, height, data } = image;
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
    out[i + channel] += roundLevel(top + (bottom - top) * fy) * weight;
  }
}

/** OpenCV's 8-bit HSV: hue wraps at 180, saturation and value are cut to 0–255. */
function shiftColours(out: Float32Array, [dh, ds, dv]: WarpPlan['hsv']): void {
  for (let i = 0; i < out.length; i += 3) {
    const [r, g, b] = [out[i], out[i + 1], out[i + 2]];
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
      return roundLevel(value - (value * saturation * Math.max(0, Math.min(k, 4 - k, 1))) / 255);
    };
    out[i] = level(5);
    out[i + 1] = level(3);
    out[i + 2] = level(1);
  }
}

const roundLevel = (level: number): number => Math.floor(level + HALF);

const clip = (level: number): number => Math.min(Math.max(level, 0), 255);

function normalise(out: Float32Array, { color, scale, mean, std }: Preprocess): void {
  const [first, last] = color === 'bgr' ? [2, 0] : [0, 2];
  const gain = std.map((deviation) => scale / deviation);
  const shift = mean.map((level, channel) => level / std[channel]);
  for (let i = 0; i < out.length; i += 3) {
    const [a, b, c] = [out[i + first], out[i + 1], out[i + last]];
    out[i] = a * gain[0] - shift[0];
    out[i + 1] = b * gain[1] - shift[1];
    out[i + 2] = c * gain[2] - shift[2];
  }
}
