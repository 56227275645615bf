import { readFile } from 'node:fs/promises';
import sharp, { type Metadata } from 'sharp';
import { messageOf, UserError } from '../base/errors.js';
import { decodePlainJpeg, readPlainJpeg } from './decode_jpeg.js';
import { fittedSize, letterboxRatio } from './letterbox.js';
import type { Picture } from './picture.js';

/** Default limit of a picture's decoded size, pixels. */
const MAX_PIXELS = 100_000_000;

/** Raster formats only: SVG and PDF, which libvips also opens, are programs rather than pictures. */
const FORMATS: readonly string[] = ['jpeg', 'png', 'webp', 'gif', 'tiff', 'heif'];
const PICTURE = `a picture (${FORMATS.join(', ')})`;

/** How many times larger than what fits a picture must be to be reduced: from there on sharp decodes a JPEG smaller. */
const REDUCED_FROM = 3;

export interface DecodeOptions {
  /** Pictures with more pixels are refused before they are decoded. */
  maxPixels?: number;
  /** Pictures with a longer side, pixels, as well. */
  maxSide?: number;
  /** Height, width of the network's input, for a picture that is for it alone. */
  fit?: readonly [number, number];
  /** Decode a plain JPEG in the thread that calls, for one that has nothing else to do: spares waking another. */
  inThread?: boolean;
  /** Name for messages when `source` is bytes. */
  name?: string;
}

interface Size {
  /** Pixels. */
  width: number;
  height: number;
}

/** What a file says of its picture; the size is that of the upright one. */
export interface PictureHeader extends Size {
  /** EXIF orientation 1–8: how the stored pixels are to be turned. */
  orientation: number;
  /** Of the stored pixels, as libvips names it: srgb, b-w, cmyk, rgb16 … */
  colourSpace: string;
}

/**
 * Reads a picture into upright, opaque 8-bit sRGB whatever it was: EXIF-rotated, grey, transparent (laid on white),
 * CMYK or 16-bit. The numbers of RGB pictures are taken as they are, whatever their ICC profile means by them: so read
 * those the pretrained weights and the reference figures come from, and converting costs twice as much as decoding. CMYK
 * has no numbers to take, and is converted by its profile.
 *
 * With `fit`, a picture at least three times larger than what the letterbox fits into the input comes reduced to just
 * that, averaged over all its pixels: for a JPEG in a fraction of the time and memory. Whatever looks for objects reads
 * its pictures so: validation, evaluation, packing, prediction and serving. Training itself cuts its mosaics from whole
 * pictures.
 *
 * @param source bytes of the file, or its path
 * @throws UserError when it is no picture, is truncated, has more than `maxPixels`, or a side longer than `maxSide`
 */
export async function decodePicture(source: Uint8Array | string, options: DecodeOptions = {}): Promise<Picture> {
  const plain = await decodePlain(source, options);
  if (plain) return plain;
  const original = await readHeader(source, options);
  const ignoreIcc = original.colourSpace !== 'cmyk';
  const pixels = sharp(source, { failOn: 'truncated', limitInputPixels: false, ignoreIcc })
    .autoOrient()
    .flatten({ background: '#fff' })
    .toColourspace('srgb');
  const reduced = options.fit && reducedSize(original, options.fit);
  if (reduced) pixels.resize(reduced.columns, reduced.rows, { fit: 'fill', kernel: 'linear' });
  try {
    const { data, info } = await pixels.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    const { width, height } = original;
    return { width: info.width, height: info.height, data, ...(reduced && { original: { width, height } }) };
  } catch (error) {
    throw undecodable(source, options, error);
  }
}

/** A JPEG as almost all are; undefined for all else, also for what is to be refused. */
async function decodePlain(source: Uint8Array | string, options: DecodeOptions): Promise<Picture | undefined> {
  const bytes = typeof source === 'string' ? await readFile(source).catch(() => undefined) : source;
  const jpeg = bytes && readPlainJpeg(bytes);
  if (!bytes || !jpeg || excess(jpeg, options) || (options.fit && reducedSize(jpeg, options.fit))) return undefined;
  return decodePlainJpeg(bytes, jpeg, options.inThread ?? false);
}

function reducedSize(original: Size, fit: readonly [number, number]) {
  return letterboxRatio(original, fit) * REDUCED_FROM <= 1 ? fittedSize(original, fit) : undefined;
}

/** The limit a picture exceeds, in words. */
function excess({ width, height }: Size, options: DecodeOptions): string | undefined {
  const { maxPixels = MAX_PIXELS, maxSide = Number.POSITIVE_INFINITY } = options;
  if (width * height > maxPixels) return `at most ${maxPixels} pixels`;
  return Math.max(width, height) > maxSide ? `sides of at most ${maxSide} pixels` : undefined;
}

/** Reads and checks the header alone. Errors as in {@link decodePicture}. */
export async function readHeader(source: Uint8Array | string, options: DecodeOptions = {}): Promise<PictureHeader> {
  const { format, autoOrient, orientation = 1, space } = await metadataOf(source, options);
  const where = nameOf(source, options);
  if (!FORMATS.includes(format)) {
    throw new UserError({ where, expected: PICTURE, received: format });
  }
  const { width, height } = autoOrient;
  const expected = excess(autoOrient, options);
  if (expected) throw new UserError({ where, expected, received: `${width}x${height}` });
  return { width, height, orientation, colourSpace: space };
}

async function metadataOf(source: Uint8Array | string, options: DecodeOptions): Promise<Metadata> {
  try {
    return await sharp(source, { limitInputPixels: false }).metadata();
  } catch (error) {
    throw undecodable(source, options, error);
  }
}

/**
 * Makes sure that every pixel can be decoded, at less cost than decoding and without holding the picture in memory.
 * Stricter than {@link decodePicture}: a file the decoder warns about has damaged content. A JPEG without its end marker
 * has all its pixels; whether the decoder notices depends on them.
 */
export async function checkPixels(source: Uint8Array | string, options: DecodeOptions = {}): Promise<void> {
  try {
    await sharp(source, { failOn: 'warning', limitInputPixels: false, ignoreIcc: true })
      .resize(8, 8, { fit: 'fill' })
      .raw()
      .toBuffer();
  } catch (error) {
    throw undecodable(source, options, error);
  }
}

function undecodable(source: Uint8Array | string, options: DecodeOptions, error: unknown): UserError {
  // libvips adds a line per library it asked; the first says it.
  const [reason] = messageOf(error).split('\n');
  return new UserError({ where: nameOf(source, options), expected: PICTURE, received: reason }, { cause: error });
}

function nameOf(source: Uint8Array | string, { name }: DecodeOptions): string | undefined {
  return name ?? (typeof source === 'string' ? source : undefined);
}
