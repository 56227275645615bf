/** Names of number types in safetensors. */
export type Dtype = 'F64' | 'F32' | 'F16' | 'BF16' | 'I64' | 'I32' | 'U8';

export const ITEM_BYTES: Readonly<Record<Dtype, number>> = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, U8: 1 };

/** Whether a type is floating-point, as weights must be. */
export const isFloating = (dtype: string | undefined): boolean => /^B?F\d/.test(dtype ?? '');

/** Converts numbers of any type to float32, in a new array; little-endian by default. */
export function toFloat32(dtype: Dtype, bytes: Uint8Array, bigEndian = false): Float32Array {
  const { buffer } = bigEndian ? turned(bytes, ITEM_BYTES[dtype]) : new Uint8Array(bytes);
  switch (dtype) {
    case 'F64':
      return Float32Array.from(new Float64Array(buffer));
    case 'F32':
      return new Float32Array(buffer);
    case 'F16':
      return Float32Array.from(new Uint16Array(buffer), fromFloat16);
    case 'BF16':
      // bfloat16 is the upper half of a float32's bits.
      return new Float32Array(Uint32Array.from(new Uint16Array(buffer), (bits) => bits << 16).buffer);
    case 'I64':
      return Float32Array.from(new BigInt64Array(buffer), Number);
    case 'I32':
      return Float32Array.from(new Int32Array(buffer));
    case 'U8':
      return Float32Array.from(new Uint8Array(buffer));
  }
}

/** Returns a copy with the bytes of every item reversed. */
function turned(bytes: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes);
  for (let start = 0; start < copy.length; start += size) copy.subarray(start, start + size).reverse();
  return copy;
}

/** Converts the bits of an IEEE 754 binary16. */
function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
