import sharp, { type Metadata } from 'sharp';
import { messageOf, UserError } from '../base/errors.js';
import type { Picture } from './picture.js';

/** Default limit of a picture's decoded size, pixels. */
const MAX_PIXELS = 100_000_000;

/** Raster formats only: SVG and PDF, which libvips also opens, are programs rather than pictures. */
const FORMATS: readonly string[] = ['jpeg', 'png', 'webp', 'gif', 'tiff', 'heif'];
const PICTURE = `a picture (${FORMATS.join(', ')})`;

export interface DecodeOptions {
  /** Pictures with more pixels are refused before they are decoded. */
  maxPixels?: number;
  /** Name for messages when `source` is bytes. */
  name?: string;
}

export interface PictureHeader {
  /** Size of the upright picture, pixels. */
  width: number;
  height: number;
  /** EXIF orientation 1–8: how the stored pixels are to be turned. */
  orientation: number;
}

/**
 * Reads a picture into upright, opaque 8-bit sRGB whatever it was: EXIF-rotated, grey, transparent (laid on white),
 * CMYK or 16-bit.
 *
 * @param source bytes of the file, or its path
 * @throws UserError when it is no picture, is truncated, or has more than `maxPixels`
 */
export async function decodePicture(source: Uint8Array | string, options: DecodeOptions = {}): Promise<Picture> {
  await readHeader(source, options);
  try {
    const { data, info } = await sharp(source, { failOn: 'truncated', limitInputPixels: false })
      .autoOrient()
      .flatten({ background: '#fff' })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, data };
  } catch (error) {
    throw undecodable(source, options, error);
  }
}

/** Reads and checks the header alone. Errors as in {@link decodePicture}. */
export async function readHeader(source: Uint8Array | string, options: DecodeOptions = {}): Promise<PictureHeader> {
  const { maxPixels = MAX_PIXELS } = options;
  const { format, autoOrient, orientation = 1 } = await metadataOf(source, options);
  const where = nameOf(source, options);
  if (!FORMATS.includes(format)) {
    throw new UserError({ where, expected: PICTURE, received: format });
  }
  const { width, height } = autoOrient;
  if (width * height > maxPixels) {
    throw new UserError({ where, expected: `at most ${maxPixels} pixels`, received: `${width}x${height}` });
  }
  return { width, height, orientation };
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
    await sharp(source, { failOn: 'warning', limitInputPixels: false }).resize(8, 8, { fit: 'fill' }).raw().toBuffer();
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
