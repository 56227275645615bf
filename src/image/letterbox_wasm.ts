import { type Code, instantiate, type WasmMemory, wasm } from './wasm.js';

/** Loops of the letterbox over one row. Parameters are byte offsets into `memory` unless stated otherwise. */
export interface LetterboxKernels {
  memory: WasmMemory;
  /**
   * Resizes RGB bytes along x to int32 grey levels × 2⁷, RGB packed, from `row` to `end`. `taps` contains, for each
   * target pixel, the offset of its left neighbour in `source` (int32) and the weights of both neighbours × 2¹¹
   * (int16).
   */
  stretch(source: number, taps: number, row: number, end: number): void;
  /** Blends two such rows, weighted × 2¹¹, into bytes from `result` to `end`, shifted and rounded as in OpenCV. */
  blend(above: number, weightAbove: number, below: number, weightBelow: number, result: number, end: number): void;
  /**
   * Looks up RGB bytes from `row` to `end` in `levels` (3 × 256 values of 4 bytes) and writes the values from `target`
   * on, with byte strides between pixels and between channels.
   */
  spread(row: number, end: number, levels: number, target: number, pixelStride: number, channelStride: number): void;
}

/** Bytes that the vector loops may access beyond the given ranges. */
export const REACH = 64;

const { get, set, tee, i32, i32Add } = wasm;

const advance = (local: number, bytes: Code): Code[] => [get(local), bytes, i32Add, set(local)];
const advanceWhileBelow = (local: number, bytes: number, end: number): Code[] => [
  ...[get(local), i32(bytes), i32Add, tee(local)],
  ...[get(end), wasm.i32LessThan],
];

function stretch(): Code {
  const [source, taps, row, end] = [0, 1, 2, 3];
  const _ = 16;
  return wasm.loopWhile(
    get(row),
    ...[get(source), get(taps), wasm.i32Load(), i32Add, wasm.load64Zero()],
    // Bytes R G B R' G' B' to 16-bit pairs R R', G G', B B', so that one dot product weights both neighbours.
    ...[wasm.zero, wasm.i8x16Shuffle(0, _, 3, _, 1, _, 4, _, 2, _, 5, _, _, _, _, _)],
    ...[get(taps), wasm.load32Splat(4), wasm.i32x4DotI16x8],
    ...[i32(4), wasm.i32x4ShiftRight, wasm.store()],
    ...advance(taps, i32(8)),
    ...advanceWhileBelow(row, 12, end),
  );
}

function blend(): Code {
  const [above, weightAbove, below, weightBelow, result, end] = [0, 1, 2, 3, 4, 5];
  const weighted = (row: number, weight: number, offset: number): Code[] => [
    ...[get(row), wasm.load(offset), get(weight), wasm.i32x4Splat, wasm.i32x4Multiply],
    ...[i32(16), wasm.i32x4ShiftRight],
  ];
  const four = (offset: number): Code[] => [
    ...[...weighted(above, weightAbove, offset), ...weighted(below, weightBelow, offset), wasm.i32x4Add],
    ...[i32(2), wasm.i32x4Splat, wasm.i32x4Add, i32(2), wasm.i32x4ShiftRight],
  ];
  return wasm.loopWhile(
    get(result),
    ...[...four(0), ...four(16), wasm.i16x8Narrow],
    ...[...four(32), ...four(48), wasm.i16x8Narrow],
    ...[wasm.i8x16NarrowUnsigned, wasm.store()],
    ...[...advance(above, i32(64)), ...advance(below, i32(64))],
    ...advanceWhileBelow(result, 16, end),
  );
}

function spread(): Code {
  const [row, end, levels, target, pixelStride, channelStride] = [0, 1, 2, 3, 4, 5];
  const look = (channel: number): Code[] => [
    ...[get(row), wasm.i32Load8(channel), i32(2), wasm.i32ShiftLeft],
    ...[get(levels), i32Add, wasm.i32Load(channel * 1024)],
  ];
  const at = (channel: number): Code[] => [
    get(target),
    ...new Array<Code[]>(channel).fill([get(channelStride), i32Add]).flat(),
  ];
  return wasm.loopWhile(
    ...[0, 1, 2].flatMap((channel) => [...at(channel), ...look(channel), wasm.i32Store()]),
    ...advance(target, get(pixelStride)),
    ...advanceWhileBelow(row, 3, end),
  );
}

/** Compiles the kernels. WebAssembly has SIMD; the same loops in JavaScript take several times as long. */
export function letterboxKernels(): LetterboxKernels {
  return instantiate<LetterboxKernels>([
    { name: 'stretch', parameters: 4, body: [stretch()] },
    { name: 'blend', parameters: 6, body: [blend()] },
    { name: 'spread', parameters: 6, body: [spread()] },
  ]);
}
