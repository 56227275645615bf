import { Transformer } from '@napi-rs/image';
import type { Image } from './image.js';

/** Bytes of the file's own header, in front of that of the bitmap. */
const FILE_HEADER = 14;

/** Sizes of the bitmap's header: OS/2 1, 2 cut short and 2; Windows 3, and 3 with four colour masks. */
const HEADER = { os2v1: 12, os2v2Short: 16, os2v2: 64, windows3: 40, masks: 56 };

/** How pixels are coded: BITMAPINFOHEADER's biCompression. */
const COMPRESSION = { none: 0, rle8: 1, rle4: 2, masks: 3, alphaMasks: 6 };

export interface BmpHeader {
  /** Pixels. */
  width: number;
  height: number;
  /** Of a pixel. */
  bits: number;
  compressed: boolean;
  /** Where the pixels begin in the file. */
  pixels: number;
}

/** The header of a bitmap of OS/2 or Windows; undefined where the file ends before it does. */
export function readBmpHeader(file: Uint8Array): BmpHeader | undefined {
  const bytes = bufferOf(file);
  const size = bytes.length < 18 ? 0 : bytes.readUInt32LE(FILE_HEADER);
  if (size < HEADER.os2v1 || bytes.length < FILE_HEADER + size) return undefined;
  const pixels = bytes.readUInt32LE(10);
  if (size === HEADER.os2v1) {
    const [width, height, , bits] = [18, 20, 22, 24].map((at) => bytes.readUInt16LE(at));
    return { width, height, bits, compressed: false, pixels };
  }
  const compression = size < HEADER.windows3 ? COMPRESSION.none : bytes.readUInt32LE(30);
  return {
    width: bytes.readInt32LE(18),
    // Negative where the rows go from top to bottom.
    height: Math.abs(bytes.readInt32LE(22)),
    bits: bytes.readUInt16LE(28),
    compressed: ![COMPRESSION.none, COMPRESSION.masks, COMPRESSION.alphaMasks].includes(compression),
    pixels,
  };
}

/**
 * Decodes a bitmap of 1 to 32 bits, with a palette, colour masks or run lengths, of Windows or OS/2; transparent pixels
 * are laid on white.
 * @throws Error of the decoder for a damaged one
 */
export async function decodeBmp(file: Uint8Array): Promise<Image> {
  const bytes = asWindows(bufferOf(file));
  const { width, height } = readBmpHeader(bytes) as BmpHeader;
  const data = await new Transformer(bytes).rawPixels();
  const channels = data.length / (width * height);
  if (channels === 3) return { width, height, data };
  if (channels === 4) return { width, height, data: onWhite(data) };
  throw new Error(`${channels} channels`);
}

const bufferOf = (file: Uint8Array): Buffer => Buffer.from(file.buffer, file.byteOffset, file.byteLength);

/** The headers that the decoder does not know, as one that it does: they begin alike. */
function asWindows(bytes: Buffer): Buffer {
  const size = bytes.readUInt32LE(FILE_HEADER);
  const alphaMasks = size === HEADER.windows3 && bytes.readUInt32LE(30) === COMPRESSION.alphaMasks;
  if (alphaMasks) {
    // The four masks that follow become part of the header.
    const changed = Buffer.from(bytes);
    changed.writeUInt32LE(HEADER.masks, FILE_HEADER);
    changed.writeUInt32LE(COMPRESSION.masks, 30);
    return changed;
  }
  if (size !== HEADER.os2v2Short && size !== HEADER.os2v2) return bytes;
  if (size === HEADER.os2v2 && bytes.readUInt32LE(30) >= COMPRESSION.masks) {
    throw new Error('a bitmap of OS/2 compressed by Huffman codes or 24-bit run lengths');
  }
  const header = Buffer.alloc(FILE_HEADER + HEADER.windows3);
  bytes.copy(header, 0, 0, Math.min(FILE_HEADER + size, header.length));
  header.writeUInt32LE(bytes.readUInt32LE(10) + HEADER.windows3 - size, 10);
  header.writeUInt32LE(HEADER.windows3, FILE_HEADER);
  return Buffer.concat([header, bytes.subarray(FILE_HEADER + size)]);
}

/** RGB of RGBA; where nothing is visible at all, the fourth byte was never meant as transparency. */
function onWhite(rgba: Uint8Array): Uint8Array {
  let visible = 3;
  while (visible < rgba.length && rgba[visible] === 0) visible += 4;
  const opaque = visible >= rgba.length;
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    const alpha = opaque ? 255 : rgba[from + 3];
    for (let c = 0; c < 3; c++) rgb[to + c] = Math.round((rgba[from + c] * alpha + 255 * (255 - alpha)) / 255);
  }
  return rgb;
}
