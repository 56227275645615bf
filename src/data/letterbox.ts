import type { Preprocess } from '../config/preprocess.js';
import type { Picture } from './picture.js';

export type Layout = 'nchw' | 'nhwc';

/** Fixed point of OpenCV's 8-bit bilinear resize (modules/imgproc/src/resize.cpp): weights are multiples of 2⁻¹¹. */
const WEIGHT_ONE = 2048;

/** Scale from picture pixels to input pixels; boxes of the input divided by it are boxes of the picture. */
export function letterboxRatio(
  picture: { width: number; height: number },
  [height, width]: readonly [number, number],
): number {
  return Math.min(height / picture.height, width / picture.width);
}

/**
 * Fits a picture into the network's input: resized to touch two sides, at the top left, padded to the right and
 * below, channels ordered and normalised. The resize equals `cv2.resize(…, INTER_LINEAR)` on uint8 in every pixel:
 * half-pixel centres, no antialiasing, whole grey levels.
 *
 * @param layout of one input: `nchw` is [3, height, width], `nhwc` is [height, width, 3]
 * @param out array to write into, e.g. that of a batch; a new one when absent
 * @param offset index in `out` of the first value
 */
export function letterbox(
  picture: Picture,
  preprocess: Preprocess,
  layout: Layout,
  out?: Float32Array,
  offset = 0,
): { data: Float32Array; ratio: number } {
  const [height, width] = preprocess.size;
  const data = out ?? new Float32Array(offset + 3 * height * width);
  const ratio = letterboxRatio(picture, preprocess.size);
  const rows = Math.max(1, Math.trunc(picture.height * ratio));
  const columns = Math.max(1, Math.trunc(picture.width * ratio));
  const [pixelStride, channelStride] = layout === 'nhwc' ? [3, 1] : [1, height * width];
  const rowStride = width * pixelStride;
  const resizedRow = rowResizer(picture, rows, columns);
  const channels = [0, 1, 2].map((channel) => ({
    source: preprocess.color === 'bgr' ? 2 - channel : channel,
    start: offset + channel * channelStride,
    levels: Float32Array.from({ length: 256 }, (_, level) => normalise(preprocess, channel, level)),
    pad: normalise(preprocess, channel, preprocess.pad),
  }));

  for (let y = 0; y < height; y++) {
    const row = y < rows ? resizedRow(y) : undefined;
    for (const { source, start, levels, pad } of channels) {
      let target = start + y * rowStride;
      const end = target + rowStride;
      if (row) for (let i = source; i < row.length; i += 3, target += pixelStride) data[target] = levels[row[i]];
      for (; target < end; target += pixelStride) data[target] = pad;
    }
  }
  return { data, ratio };
}

function normalise({ scale, mean, std }: Preprocess, channel: number, level: number): number {
  return (level * scale - mean[channel]) / std[channel];
}

/** Gives row y of the picture resized to `rows` × `columns`: RGB interleaved, valid until the next call. */
function rowResizer(picture: Picture, rows: number, columns: number): (y: number) => Uint8Array {
  const vertical = taps(picture.height, rows);
  const horizontal = taps(picture.width, columns);
  // Consecutive source rows have different parity, so the two that a target row needs never share a buffer.
  const stretched = [new Int32Array(columns * 3), new Int32Array(columns * 3)];
  const held = [-1, -1];
  const result = new Uint8Array(columns * 3);

  const stretch = (y: number): Int32Array => {
    const row = stretched[y & 1];
    if (held[y & 1] !== y) stretchRow(picture.data, y * picture.width * 3, horizontal, row);
    held[y & 1] = y;
    return row;
  };

  return (y) => {
    const above = stretch(vertical.first[y]);
    const below = stretch(vertical.second[y]);
    const weightBelow = vertical.weight[y];
    const weightAbove = WEIGHT_ONE - weightBelow;
    for (let i = 0; i < result.length; i++) {
      result[i] = (((weightAbove * (above[i] >> 4)) >> 16) + ((weightBelow * (below[i] >> 4)) >> 16) + 2) >> 2;
    }
    return result;
  };
}

/** Resizes along x the row of RGB pixels that begins at `start`; the results are grey levels × 2048. */
function stretchRow(data: Uint8Array, start: number, { first, second, weight }: Taps, row: Int32Array): void {
  for (let x = 0, i = 0; x < weight.length; x++, i += 3) {
    const left = start + first[x] * 3;
    const right = start + second[x] * 3;
    const weightRight = weight[x];
    const weightLeft = WEIGHT_ONE - weightRight;
    row[i] = data[left] * weightLeft + data[right] * weightRight;
    row[i + 1] = data[left + 1] * weightLeft + data[right + 1] * weightRight;
    row[i + 2] = data[left + 2] * weightLeft + data[right + 2] * weightRight;
  }
}

/** The two source positions of every target position along one axis, and the second one's weight × 2048. */
interface Taps {
  first: Int32Array;
  second: Int32Array;
  weight: Int32Array;
}

/** Positions are in single precision and ties round to even, as in OpenCV; beyond the edge both are the edge. */
function taps(from: number, to: number): Taps {
  const first = new Int32Array(to);
  const second = new Int32Array(to);
  const weight = new Int32Array(to);
  for (let i = 0; i < to; i++) {
    const position = Math.fround((i + 0.5) * (from / to) - 0.5);
    const below = Math.floor(position);
    first[i] = Math.max(below, 0);
    second[i] = Math.min(below + 1, from - 1);
    weight[i] = roundHalfEven(Math.fround(position - below) * WEIGHT_ONE);
  }
  return { first, second, weight };
}

function roundHalfEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 === 1 ? rounded - 1 : rounded;
}
