import { Transformer } from '@napi-rs/image';
import type { Image } from './image.js';

/** Bytes of the file header before the bitmap header. */
const FILE_HEADER = 14;

/** Sizes of bitmap headers: OS/2 1, OS/2 2 shortened and full; Windows 3, and 3 with four colour masks. */
const HEADER = { os2v1: 12, os2v2Short: 16, os2v2: 64, windows3: 40, masks: 56 };

/** Coding of pixels: biCompression of BITMAPINFOHEADER. */
const COMPRESSION = { none: 0, rle8: 1, rle4: 2, masks: 3, alphaMasks: 6 };

export interface BmpHeader {
  /** Pixels. */
  width: number;
  height: number;
  /** Bits per pixel. */
  bits: number;
  compressed: boolean;
  /** Offset of the pixels in the file. */
  pixels: number;
}

/** Reads the header of an OS/2 or Windows bitmap; undefined if the file is too short. */
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
    // Negative if rows are stored from top to bottom.
    height: Math.abs(bytes.readInt32LE(22)),
    bits: bytes.readUInt16LE(28),
    compressed: ![COMPRESSION.none, COMPRESSION.masks, COMPRESSION.alphaMasks].includes(compression),
    pixels,
  };
}

/**
 * Decodes a Windows or OS/2 bitmap of 1 to 32 bits, with a palette, colour masks or run lengths; transparent pixels are
 * laid on white.
 * @throws Error from the decoder if it is damaged
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

/** Converts headers that the decoder does not know to one that it does; they begin alike. */
function asWindows(bytes: Buffer): Buffer {
  const size = bytes.readUInt32LE(FILE_HEADER);
  const alphaMasks = size === HEADER.windows3 && bytes.readUInt32LE(30) === COMPRESSION.alphaMasks;
  if (alphaMasks) {
    // The four masks after the header become part of it.
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

/** Converts RGBA to RGB. If no pixel is visible, the fourth byte was not meant as transparency. */
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
