/** The tags we read (TIFF 6.0, TIFF/EP, DNG specification). */
export const TIFF_TAG = {
  newSubfileType: 254,
  photometric: 262,
  stripOffsets: 273,
  samplesPerPixel: 277,
  stripByteCounts: 279,
  tileOffsets: 324,
  tileByteCounts: 325,
  subIfds: 330,
  extraSamples: 338,
  dngVersion: 50706,
} as const;

const WANTED = new Set<number>(Object.values(TIFF_TAG));

/** Bytes of a value by its type: BYTE, SHORT, LONG, IFD, LONG8, IFD8. Others are not read. */
const TYPE_BYTES: Record<number, number> = { 1: 1, 3: 2, 4: 4, 13: 4, 16: 8, 18: 8 };

/** Most values of a tag that are read. */
const MOST_VALUES = 1 << 20;

export interface TiffDirectory {
  /** Number of tags. */
  entries: number;
  /** Values of the requested tags. */
  values: Map<number, number[]>;
  /** Offset of the next directory, 0 after the last. */
  next: number;
}

/** Whether a file starts like a TIFF or BigTIFF, in either byte order. */
export function isTiff(bytes: Uint8Array): boolean {
  const [first, second, a, b] = bytes;
  if (first !== second || (first !== 0x49 && first !== 0x4d)) return false;
  const version = first === 0x49 ? a | (b << 8) : (a << 8) | b;
  return version === 42 || version === 43;
}

/**
 * Reads the directory at an offset, by default the first one; undefined if the file is too short.
 * @param header whether to skip the values
 */
export function readDirectory(bytes: Uint8Array, at?: number, header = false): TiffDirectory | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = bytes[0] === 0x49;
  try {
    const big = view.getUint16(2, little) === 43;
    const long = (offset: number) => (big ? Number(view.getBigUint64(offset, little)) : view.getUint32(offset, little));
    const start = at ?? long(big ? 8 : 4);
    const entries = big ? long(start) : view.getUint16(start, little);
    const first = start + (big ? 8 : 2);
    const size = big ? 20 : 12;
    const values = new Map<number, number[]>();
    for (let i = 0; i < entries && !header; i++) {
      const entry = first + i * size;
      const tag = view.getUint16(entry, little);
      const bytesOf = TYPE_BYTES[view.getUint16(entry + 2, little)];
      if (!WANTED.has(tag) || bytesOf === undefined) continue;
      const count = Math.min(long(entry + 4), MOST_VALUES);
      const inline = entry + (big ? 12 : 8);
      const offset = count * bytesOf <= (big ? 8 : 4) ? inline : long(inline);
      const read = [
        (o: number) => view.getUint8(o),
        (o: number) => view.getUint16(o, little),
        (o: number) => view.getUint32(o, little),
        (o: number) => Number(view.getBigUint64(o, little)),
      ][Math.log2(bytesOf)];
      values.set(
        tag,
        Array.from({ length: count }, (_, k) => read(offset + k * bytesOf)),
      );
    }
    return { entries, values, next: long(first + entries * size) };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
