import { Transformer } from '@napi-rs/image';
import type { Image } from './image.js';

/** Segments of a JPEG file: ITU-T T.81, table B.1. */
const SEGMENT = { baseline: 0xc0, progressive: 0xc2, app1: 0xe1, app14: 0xee };

/** Those between which others may lie: tables, application data, comments. */
const PASSED_OVER = new Set([0xc4, 0xdb, 0xdd, 0xfe, ...Array.from({ length: 16 }, (_, i) => 0xe0 + i)]);

/** Numbers of the components of a grey and a YCbCr image: JFIF 1.02. */
const COMPONENTS = [[1], [1, 2, 3]];

/** Pixels of the shorter side from which on the decoder is worth it, and gives narrow colours as libjpeg does. */
const SHORTEST = 64;

/** Size of a JPEG as almost all are, pixels. */
export interface PlainJpeg {
  width: number;
  height: number;
  /** Whether it has EXIF data, which may want it turned. */
  exif: boolean;
}

/**
 * Reads the header of a JPEG as almost all are: baseline or progressive, 8 bits, grey or YCbCr, with its end, and not
 * tiny. Undefined for every other file, which may be a JPEG all the same.
 */
export function readPlainJpeg(bytes: Uint8Array): PlainJpeg | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.length - 2;
  if (end < 2 || view.getUint16(0) !== 0xffd8 || view.getUint16(end) !== 0xffd9) return undefined;
  let exif = false;
  for (let at = 2; at + 4 <= end && bytes[at] === 0xff; at += 2 + view.getUint16(at + 2)) {
    const segment = bytes[at + 1];
    const content = bytes.subarray(at + 4, at + 2 + view.getUint16(at + 2));
    if (segment === SEGMENT.baseline || segment === SEGMENT.progressive) return readFrame(content, exif);
    if (!PASSED_OVER.has(segment)) return undefined;
    if (segment === SEGMENT.app1) exif ||= startsWith(content, 'Exif');
    // The last byte of Adobe's says how colours are coded; 1 is YCbCr.
    if (segment === SEGMENT.app14 && startsWith(content, 'Adobe') && content[11] !== 1) return undefined;
  }
  return undefined;
}

/** Precision, height, width, number of components, and for each its number, sampling and table: T.81, B.2.2. */
function readFrame(frame: Uint8Array, exif: boolean): PlainJpeg | undefined {
  if (frame.length < 6 || frame[0] !== 8) return undefined;
  const numbers = Array.from({ length: frame[5] }, (_, i) => frame[6 + 3 * i]);
  if (!COMPONENTS.some((known) => String(known) === String(numbers))) return undefined;
  const [height, width] = [(frame[1] << 8) | frame[2], (frame[3] << 8) | frame[4]];
  return Math.min(width, height) >= SHORTEST ? { width, height, exif } : undefined;
}

const startsWith = (content: Uint8Array, text: string): boolean =>
  [...text].every((letter, i) => content[i] === letter.charCodeAt(0));

/**
 * Decodes a plain JPEG in half the time sharp takes, to within a few levels of its pixels; undefined when it is to be
 * turned, or damaged.
 * @param inThread in the thread that calls, which waits; else beside it
 */
export async function decodePlainJpeg(
  bytes: Uint8Array,
  { width, height, exif }: PlainJpeg,
  inThread: boolean,
): Promise<Image | undefined> {
  try {
    const jpeg = new Transformer(bytes);
    if (exif && jpeg.metadataSync(true).orientation !== 1) return undefined;
    const data = inThread ? jpeg.rawPixelsSync() : await jpeg.rawPixels();
    return data.length === 3 * width * height ? { width, height, data } : undefined;
  } catch {
    return undefined;
  }
}
