import { Transformer } from '@napi-rs/image';
import type { Image } from './image.js';

/** Segments of a JPEG file: ITU-T T.81, table B.1. */
const SEGMENT = { baseline: 0xc0, progressive: 0xc2, app1: 0xe1, app14: 0xee };

/** Segments to skip: tables, application data, comments. */
const SKIPPED = new Set([0xc4, 0xdb, 0xdd, 0xfe, ...Array.from({ length: 16 }, (_, i) => 0xe0 + i)]);

/** Component ids of a grey and a YCbCr image (JFIF 1.02). */
const COMPONENTS = [[1], [1, 2, 3]];

/** Shortest side from which the decoder is worthwhile and its chroma agrees with libjpeg's. */
const SHORTEST = 64;

/** Size of an ordinary JPEG, pixels. */
export interface PlainJpeg {
  width: number;
  height: number;
  /** Whether it has EXIF data, which may contain a rotation. */
  exif: boolean;
}

/**
 * Reads the header of an ordinary JPEG: baseline or progressive, 8 bits, grey or YCbCr, complete and not tiny.
 * Undefined for all other files, including unusual JPEGs.
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
    if (!SKIPPED.has(segment)) return undefined;
    if (segment === SEGMENT.app1) exif ||= startsWith(content, 'Exif');
    // The last byte of Adobe's segment gives the colour coding; 1 is YCbCr.
    if (segment === SEGMENT.app14 && startsWith(content, 'Adobe') && content[11] !== 1) return undefined;
  }
  return undefined;
}

/** Precision, height, width, number of components, then id, sampling and table of each (T.81, B.2.2). */
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
 * Decodes a plain JPEG in half of sharp's time, within a few grey levels of its pixels; undefined if it is rotated or
 * damaged.
 * @param inThread decode in the calling thread, which waits; otherwise in another
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
