import { readBmpHeader } from './decode_bmp.js';
import type { ImageFormat } from './image_format.js';
import { readDirectory, TIFF_TAG } from './tiff_header.js';

/** Most scans of a JPEG: encoders write about ten, and each costs a pass over all pixels. */
export const MAX_SCANS = 100;

/**
 * Most segments of a JPEG: a large profile or preview takes about a hundred, and libraries allocate an entry for each.
 */
export const MAX_SEGMENTS = 2000;

/** Most frames of an animation or pages of a file: libraries visit all of them, some even once per frame. */
export const MAX_FRAMES = 2000;

/**
 * Most work for the tags of a TIFF: libtiff re-sorts the known tags for each unknown one, so the work grows with the
 * square of the tags of a directory. A thousand tags take 0.1 s.
 */
const MAX_TAG_WORK = 1_000_000;

/** Costs of an image that its size does not reveal. */
export interface Survey {
  /** Passes over all pixels; 1 for all but JPEG. */
  scans: number;
  /** Frames or pages; 1 unless there are several. */
  frames: number;
  /** The limit that the file exceeds. */
  excess?: { expected: string; received: string; hint: string };
}

/** Counts what libraries would traverse, without using one or decoding; stops soon after a limit. */
export function surveyImage(file: Uint8Array, format: ImageFormat): Survey {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (format === 'jpeg') return ofScans(bytes);
  if (format === 'tiff') return ofPages(bytes);
  const frames = COUNT_FRAMES[format]?.(bytes) ?? 1;
  return { scans: 1, frames, ...(frames > MAX_FRAMES && { excess: tooManyFrames('frames') }) };
}

const COUNT_FRAMES: Partial<Record<ImageFormat, (bytes: Buffer) => number>> = {
  gif: countGifFrames,
  webp: countWebpFrames,
  png: countPngFrames,
};

/** Whether the file is shorter than its own structure says; false if unknown. */
export function isCutOff(file: Uint8Array, format: ImageFormat): boolean {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  return CUT_OFF[format](bytes);
}

const CUT_OFF: Record<ImageFormat, (bytes: Buffer) => boolean> = {
  jpeg: (bytes) => !walkJpeg(bytes, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY).ended,
  png: (bytes) => walkChunks(bytes, 8, (at) => 12 + bytes.readUInt32BE(at), 'IEND', 4),
  webp: (bytes) => bytes.length < 12 || 8 + bytes.readUInt32LE(4) > bytes.length,
  gif: (bytes) => walkGif(bytes, Number.POSITIVE_INFINITY).cutOff,
  avif: (bytes) => walkChunks(bytes, 0, (at) => isoBoxBytes(bytes, at)),
  tiff: isTiffCutOff,
  bmp: isBmpCutOff,
};

function ofScans(bytes: Buffer): Survey {
  const scans = countScans(bytes);
  const hint = 'Save it again as a baseline JPEG without metadata.';
  if (scans > MAX_SCANS) {
    const expected = `a JPEG of at most ${MAX_SCANS} scans`;
    return { scans, frames: 1, excess: { expected, received: 'more scans', hint } };
  }
  if (walkJpeg(bytes, 0, MAX_SEGMENTS).segments <= MAX_SEGMENTS) return { scans, frames: 1 };
  const expected = `a JPEG of at most ${MAX_SEGMENTS} segments before its pixels`;
  return { scans, frames: 1, excess: { expected, received: 'more segments', hint } };
}

function tooManyFrames(what: string) {
  const expected = `at most ${MAX_FRAMES} ${what} in one file`;
  return { expected, received: `more ${what}`, hint: 'Save the image you need as a separate file.' };
}

/** Counts starts of scans. */
function countScans(bytes: Buffer): number {
  // Elsewhere these two bytes occur only by chance, in a thumbnail or after the image. If there are few, there is no
  // need to walk the file.
  let found = 0;
  for (let at = bytes.indexOf('\xff\xda', 0, 'latin1'); at >= 0; at = bytes.indexOf('\xff\xda', at + 2, 'latin1')) {
    if (++found > MAX_SCANS) return walkJpeg(bytes, MAX_SCANS, Number.POSITIVE_INFINITY).scans;
  }
  return found;
}

/** Walks from marker to marker as decoders do (ITU-T T.81, annex B), until there are more than `mostScans`. */
function walkJpeg(bytes: Buffer, mostScans: number, mostSegments: number) {
  let [scans, segments] = [0, 0];
  let at = 2;
  while (scans <= mostScans && segments <= mostSegments && at < bytes.length) {
    if (bytes[at++] !== 0xff) continue;
    // A marker may be preceded by fill bytes; stuffed zeros and restart markers belong to the coded pixels.
    while (bytes[at] === 0xff) at++;
    const marker = bytes[at++];
    if (marker === undefined || marker <= 1 || (marker >= 0xd0 && marker <= 0xd8)) continue;
    if (marker === 0xd9) return { scans, segments, ended: true };
    if (at + 2 > bytes.length) break;
    segments++;
    if (marker === 0xda) scans++;
    at += bytes.readUInt16BE(at);
  }
  return { scans, segments, ended: false };
}

/** Counts frame chunks in a RIFF file (WebP container specification). Too many chunks of other kinds count as well. */
function countWebpFrames(bytes: Buffer): number {
  let [frames, others] = [0, 0];
  for (let at = 12; at + 8 <= bytes.length && frames <= MAX_FRAMES && others <= MAX_FRAMES; ) {
    if (bytes.toString('latin1', at, at + 4) === 'ANMF') frames++;
    else others++;
    const size = bytes.readUInt32LE(at + 4);
    at += 8 + size + (size % 2);
  }
  return others > MAX_FRAMES ? others : Math.max(1, frames);
}

/** Number of frames that an animated PNG announces before its pixels (PNG specification, acTL). */
function countPngFrames(bytes: Buffer): number {
  for (let at = 8; at + 12 <= bytes.length; at += 12 + bytes.readUInt32BE(at)) {
    const type = bytes.toString('latin1', at + 4, at + 8);
    if (type === 'acTL') return Math.max(1, bytes.readUInt32BE(at + 8));
    if (type === 'IDAT') break;
  }
  return 1;
}

function countGifFrames(bytes: Buffer): number {
  return Math.max(1, walkGif(bytes, MAX_FRAMES).frames);
}

/** Walks from block to block (GIF89a). */
function walkGif(bytes: Buffer, most: number): { frames: number; cutOff: boolean } {
  const tableBytes = (flags: number) => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);
  let at = 13 + tableBytes(bytes[10]);
  let frames = 0;
  while (at < bytes.length && frames <= most) {
    const kind = bytes[at];
    if (kind === 0x3b) return { frames, cutOff: false };
    if (kind === 0x2c) {
      frames++;
      at += 11 + tableBytes(bytes[at + 9]);
    } else if (kind === 0x21) {
      at += 2;
    } else {
      at++;
      continue;
    }
    while (bytes[at] > 0) at += 1 + bytes[at];
    at++;
  }
  return { frames, cutOff: frames <= most };
}

function ofPages(bytes: Buffer): Survey {
  let frames = 0;
  let work = 0;
  for (let at: number | undefined; at !== 0; frames++) {
    const directory = readDirectory(bytes, at, true);
    if (!directory) break;
    work += directory.entries ** 2;
    if (frames >= MAX_FRAMES) return { scans: 1, frames: frames + 1, excess: tooManyFrames('pages') };
    if (work > MAX_TAG_WORK) {
      const expected = 'a TIFF of fewer tags';
      return {
        scans: 1,
        frames,
        excess: { expected, received: `${directory.entries} in one page`, hint: 'Save it without them.' },
      };
    }
    at = directory.next;
  }
  return { scans: 1, frames: Math.max(1, frames) };
}

/** Whether the file ends within a chunk, or before the last chunk of that name. */
function walkChunks(bytes: Buffer, start: number, size: (at: number) => number, last?: string, offset = 4): boolean {
  for (let at = start; at + 8 <= bytes.length; ) {
    if (last !== undefined && bytes.toString('latin1', at + offset, at + offset + 4) === last) return false;
    at += Math.max(8, size(at));
    if (at > bytes.length) return true;
  }
  return last !== undefined;
}

/** Bytes of a box (ISO/IEC 14496-12, 4.2). A size of 0 extends to the end; for a size of 1, a 64-bit size follows. */
function isoBoxBytes(bytes: Buffer, at: number): number {
  const size = bytes.readUInt32BE(at);
  if (size === 0) return bytes.length - at;
  if (size > 1) return size;
  return at + 16 <= bytes.length ? Number(bytes.readBigUInt64BE(at + 8)) : 16;
}

/** Whether any strip or tile of the first page lies beyond the end of the file. */
function isTiffCutOff(bytes: Buffer): boolean {
  const directory = readDirectory(bytes);
  if (!directory) return true;
  const { stripOffsets, stripByteCounts, tileOffsets, tileByteCounts } = TIFF_TAG;
  const offsets = directory.values.get(stripOffsets) ?? directory.values.get(tileOffsets) ?? [];
  const counts = directory.values.get(stripByteCounts) ?? directory.values.get(tileByteCounts) ?? [];
  return offsets.some((offset, i) => offset + (counts[i] ?? 0) > bytes.length);
}

/** Whether the pixels of an uncompressed bitmap extend beyond the end of the file. */
function isBmpCutOff(bytes: Buffer): boolean {
  const header = readBmpHeader(bytes);
  if (!header) return true;
  const { width, height, bits, compressed, pixels } = header;
  return !compressed && pixels + 4 * Math.ceil((width * bits) / 32) * height > bytes.length;
}
