import { roundHalfEven } from '../base/math.js';
import type { Preprocess } from '../config/preprocess.js';
import type { Image } from './image.js';
import { type LetterboxKernels, letterboxKernels, REACH } from './letterbox_wasm.js';

export type Layout = 'nchw' | 'nhwc';

/** Fixed point of OpenCV's 8-bit bilinear resize (modules/imgproc/src/resize.cpp): weights are multiples of 2⁻¹¹. */
const WEIGHT_ONE = 2048;

const LEVELS = 256;
const FLOAT_BYTES = Float32Array.BYTES_PER_ELEMENT;

/** Page size of WebAssembly memory. */
const PAGE_BYTES = 65_536;

/** Rows and columns of an image fitted into the input. */
export function fittedSize(
  image: { width: number; height: number },
  size: readonly [number, number],
): { rows: number; columns: number } {
  const ratio = letterboxRatio(image, size);
  return {
    rows: Math.max(1, Math.trunc(image.height * ratio)),
    columns: Math.max(1, Math.trunc(image.width * ratio)),
  };
}

/** Scale from image pixels to input pixels; divide input boxes by it to get image boxes. */
export function letterboxRatio(
  image: { width: number; height: number },
  [height, width]: readonly [number, number],
): number {
  return Math.min(height / image.height, width / image.width);
}

/**
 * Fits an image into the network's input: resized to touch two sides, at the top left, padded to the right and below,
 * channels ordered and normalised. The resize equals `cv2.resize(…, INTER_LINEAR)` on uint8 in every pixel: half-pixel
 * centres, no antialiasing, whole grey levels. `ratio` refers to the full image.
 *
 * @param layout of one input: `nchw` is [3, height, width], `nhwc` is [height, width, 3]
 * @param out array to write into, e.g. of a batch; by default a new one
 * @param offset index in `out` of the first value
 */
export function letterbox(
  image: Image,
  preprocess: Preprocess,
  layout: Layout,
  out?: Float32Array,
  offset = 0,
): { data: Float32Array; ratio: number } {
  const [height, width] = preprocess.size;
  const data = out ?? new Float32Array(offset + 3 * height * width);
  const full = image.original ?? image;
  const ratio = letterboxRatio(full, preprocess.size);
  const { rows, columns } = fittedSize(full, preprocess.size);
  const desk = clearDesk(image.width, columns, width);
  const [pixelStride, channelStride] = layout === 'nhwc' ? [3, 1] : [1, width];

  for (let channel = 0; channel < 3; channel++) {
    const pad = normalise(preprocess, channel, preprocess.pad);
    for (let x = 0; x < width; x++) desk.input[x * pixelStride + channel * channelStride] = pad;
    const levels = desk.levels.subarray(LEVELS * sourceOf(channel, preprocess));
    for (let level = 0; level < LEVELS; level++) levels[level] = normalise(preprocess, channel, level);
  }
  // A row of one channel, or of all three if interleaved.
  const length = width * pixelStride;
  const strips = Array.from({ length: desk.input.length / length }, (_, i) => ({
    values: desk.input.subarray(i * length, (i + 1) * length),
    start: offset + i * height * length,
  }));
  const write = (y: number) => {
    for (const { values, start } of strips) data.set(values, start + y * length);
  };

  for (let y = rows; y < height; y++) write(y);
  const first = desk.at.input + sourceOf(0, preprocess) * channelStride * FLOAT_BYTES;
  const toNext = (preprocess.color === 'bgr' ? -channelStride : channelStride) * FLOAT_BYTES;
  const resize = rowResizer(image, rows, columns, desk);
  for (let y = 0; y < rows; y++) {
    resize(y);
    const { bytes, levels } = desk.at;
    desk.kernels.spread(bytes, bytes + columns * 3, levels, first, pixelStride * FLOAT_BYTES, toNext);
    write(y);
  }
  return { data, ratio };
}

/** Index among red, green, blue of an input channel; the mapping is its own inverse. */
const sourceOf = (channel: number, { color }: Preprocess): number => (color === 'bgr' ? 2 - channel : channel);

function normalise({ scale, mean, std }: Preprocess, channel: number, level: number): number {
  return (level * scale - mean[channel]) / std[channel];
}

let kernels: LetterboxKernels | undefined;

type Desk = ReturnType<typeof clearDesk>;

/** Allocates buffers for single rows in the memory of the kernels; their sizes depend on rows, not on images. */
function clearDesk(sourceWidth: number, columns: number, width: number) {
  kernels ??= letterboxKernels();
  const { memory } = kernels;
  let end = 0;
  const take = (bytes: number): number => {
    const start = end;
    end += Math.ceil((bytes + REACH) / REACH) * REACH;
    return start;
  };
  const at = {
    source: take(sourceWidth * 3),
    taps: take(columns * 2 * FLOAT_BYTES),
    stretched: [take(columns * 3 * FLOAT_BYTES), take(columns * 3 * FLOAT_BYTES)],
    bytes: take(columns * 3),
    levels: take(3 * LEVELS * FLOAT_BYTES),
    input: take(3 * width * FLOAT_BYTES),
  };
  const missing = Math.ceil((end - memory.buffer.byteLength) / PAGE_BYTES);
  if (missing > 0) memory.grow(missing);
  return {
    kernels,
    at,
    source: new Uint8Array(memory.buffer, at.source, sourceWidth * 3),
    taps: new Int32Array(memory.buffer, at.taps, columns * 2),
    bytes: new Uint8Array(memory.buffer, at.bytes, columns * 3),
    levels: new Float32Array(memory.buffer, at.levels, 3 * LEVELS),
    input: new Float32Array(memory.buffer, at.input, 3 * width),
  };
}

/** Returns a function that computes row y of the image resized to `rows` × `columns`, as RGB in the desk's `bytes`. */
function rowResizer(image: Image, rows: number, columns: number, { kernels, at, source, taps, bytes }: Desk) {
  const rowOf = (y: number) => image.data.subarray(y * source.length, (y + 1) * source.length);
  if (rows === image.height && columns === image.width) return (y: number) => bytes.set(rowOf(y));
  for (let x = 0; x < columns; x++) {
    const { first, second, weight } = tap(x, image.width, columns);
    const weightRight = second > first ? weight : 0;
    taps[2 * x] = first * 3;
    taps[2 * x + 1] = (WEIGHT_ONE - weightRight) | (weightRight << 16);
  }
  // Consecutive source rows have different parity, so the two that a target row needs never share a buffer.
  const held = [-1, -1];
  const stretched = (y: number): number => {
    const row = at.stretched[y & 1];
    if (held[y & 1] !== y) {
      source.set(rowOf(y));
      kernels.stretch(at.source, at.taps, row, row + columns * 3 * FLOAT_BYTES);
      held[y & 1] = y;
    }
    return row;
  };
  return (y: number): void => {
    const { first, second, weight } = tap(y, image.height, rows);
    kernels.blend(stretched(first), WEIGHT_ONE - weight, stretched(second), weight, at.bytes, at.bytes + columns * 3);
  };
}

/**
 * The two neighbours among `from` around position `i` of `to`, and the weight of the second × 2048. Positions use
 * single precision and ties round to even, as in OpenCV; beyond the edge, both neighbours are the edge.
 */
function tap(i: number, from: number, to: number): { first: number; second: number; weight: number } {
  const position = Math.fround((i + 0.5) * (from / to) - 0.5);
  const below = Math.floor(position);
  return {
    first: Math.max(below, 0),
    second: Math.min(below + 1, from - 1),
    weight: roundHalfEven(Math.fround(position - below) * WEIGHT_ONE),
  };
}
