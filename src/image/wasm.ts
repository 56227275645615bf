/** Bytes of WebAssembly code. */
export type Code = readonly number[];

/** Unsigned LEB128, the encoding of every index and length. */
const u32 = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...u32(value >>> 7)]);
/** Signed LEB128 of a non-negative number: the sign bit of the last byte must be clear. */
const s32 = (value: number): number[] => (value < 64 ? [value] : [(value & 127) | 128, ...s32(value >>> 7)]);
const vector = (items: readonly Code[]): number[] => [...u32(items.length), ...items.flat()];
const sized = (bytes: Code): number[] => [...u32(bytes.length), ...bytes];
const section = (id: number, bytes: Code): number[] => [id, ...sized(bytes)];
const text = (value: string): number[] => sized([...Buffer.from(value)]);

const simd = (opcode: number, ...immediates: number[]): number[] => [0xfd, ...u32(opcode), ...immediates];
/** Alignment 1, because rows of pixels may start anywhere. */
const memory = (offset: number): number[] => [0, ...u32(offset)];

const I32 = 0x7f;
const FUNCTION_TYPE = 0x60;
const VOID = 0x40;

/** The instructions we use, with names and opcodes of the WebAssembly 2.0 specification. */
export const wasm = {
  /** Repeats `body` while it leaves a non-zero value on the stack. */
  loopWhile: (...body: Code[]): Code => [0x03, VOID, ...body.flat(), 0x0d, 0, 0x0b],
  get: (local: number): Code => [0x20, ...u32(local)],
  set: (local: number): Code => [0x21, ...u32(local)],
  tee: (local: number): Code => [0x22, ...u32(local)],
  /** A non-negative constant. */
  i32: (value: number): Code => [0x41, ...s32(value)],
  i32Load: (offset = 0): Code => [0x28, ...memory(offset)],
  i32Load8: (offset = 0): Code => [0x2d, ...memory(offset)],
  i32Store: (offset = 0): Code => [0x36, ...memory(offset)],
  i32LessThan: [0x49] as Code,
  i32Add: [0x6a] as Code,
  i32ShiftLeft: [0x74] as Code,
  load: (offset = 0): Code => simd(0, ...memory(offset)),
  load32Splat: (offset = 0): Code => simd(9, ...memory(offset)),
  load64Zero: (offset = 0): Code => simd(93, ...memory(offset)),
  store: (offset = 0): Code => simd(11, ...memory(offset)),
  zero: simd(12, ...new Array<number>(16).fill(0)) as Code,
  i8x16Shuffle: (...lanes: number[]): Code => simd(13, ...lanes),
  i32x4Splat: simd(17) as Code,
  i8x16NarrowUnsigned: simd(102) as Code,
  i16x8Narrow: simd(133) as Code,
  i32x4ShiftRight: simd(172) as Code,
  i32x4Add: simd(174) as Code,
  i32x4Multiply: simd(181) as Code,
  i32x4DotI16x8: simd(186) as Code,
};

/** A function with i32 parameters and no result. */
export interface WasmFunction {
  name: string;
  parameters: number;
  body: readonly Code[];
}

/** Memory of a module in pages of 64 KiB; growing it detaches the buffer. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): void;
}

// Node provides WebAssembly, but only the DOM types, which are not loaded, declare it.
declare const WebAssembly: {
  Module: new (code: Uint8Array) => object;
  Instance: new (module: object) => { exports: unknown };
};

/** Instantiates a module with these functions and initially one page of memory. */
export function instantiate<T>(functions: readonly WasmFunction[]): T & { memory: WasmMemory } {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(encode(functions)));
  return exports as T & { memory: WasmMemory };
}

function encode(functions: readonly WasmFunction[]): Uint8Array {
  const types = functions.map(({ parameters }) => [FUNCTION_TYPE, ...sized(new Array(parameters).fill(I32)), 0]);
  const names = functions.map(({ name }, index) => [...text(name), 0, ...u32(index)]);
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(types)),
    ...section(3, vector(functions.map((_, index) => u32(index)))),
    ...section(5, vector([[0, 1]])),
    ...section(7, vector([[...text('memory'), 2, 0], ...names])),
    ...section(10, vector(functions.map(({ body }) => sized([0, ...body.flat(), 0x0b])))),
  ]);
}
