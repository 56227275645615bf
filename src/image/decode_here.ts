import sharp, { type Sharp } from 'sharp';
import { UserError } from '../base/errors.js';
import { decodeBmp, readBmpHeader } from './decode_bmp.js';
import type { Image } from './image.js';
import type { ImageFormat } from './image_format.js';
import { fittedSize, letterboxRatio } from './letterbox.js';
import { readDirectory, TIFF_TAG } from './tiff_header.js';

// Allow only the libvips loaders we use. All others (SVG, its own format, text) are blocked in the whole process.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Tiff', 'Heif'].map((loader) => `VipsForeignLoad${loader}`),
});

/**
 * An image is reduced if it is this many times larger than its fitted size; from there, sharp decodes JPEGs at a
 * reduced size.
 */
const REDUCED_FROM = 3;

/** Bytes of a file with a known format. */
export interface ImageFile {
  bytes: Uint8Array;
  format: ImageFormat;
}

/** Header of an image; the size is that of the upright image. */
export interface ImageHeader {
  /** Pixels. */
  width: number;
  height: number;
  /** EXIF orientation 1–8: how to turn the stored pixels. */
  orientation: number;
  /** Colour space of the stored pixels, as libvips names it: srgb, b-w, cmyk, rgb16 … */
  colourSpace: string;
  /** Whether there is an alpha channel. */
  alpha: boolean;
  /** Number of frames or pages; the image is the first. */
  frames: number;
}

/** Header as reported by the library for the format. */
export type LibraryHeader = Omit<ImageHeader, 'frames'>;

/** Number of channels by colour space. */
const COLOURS: Record<string, number> = { cmyk: 4, 'b-w': 1, grey16: 1 };

/**
 * Reads the header with the library for the format.
 * @throws UserError for channels of unknown meaning; Error from the library for a damaged file
 */
export async function readHeaderHere({ bytes, format }: ImageFile): Promise<LibraryHeader> {
  if (format === 'bmp') {
    const header = readBmpHeader(bytes);
    if (!header) throw new Error('the header is cut off');
    const { width, height } = header;
    return { width, height, orientation: 1, colourSpace: 'srgb', alpha: false };
  }
  const {
    autoOrient,
    orientation = 1,
    space,
    channels,
    depth,
    hasAlpha,
  } = await sharp(bytes, {
    limitInputPixels: false,
  }).metadata();
  const colours = channels - Number(hasAlpha);
  if (!['uchar', 'ushort'].includes(depth)) {
    throw new UserError({
      expected: 'samples of 8 or 16 bits without a sign',
      received: depth,
      hint: 'What they mean is not known: scale them to 8 bits.',
    });
  }
  if (colours !== (COLOURS[space] ?? 3)) {
    throw new UserError({
      expected: 'grey, RGB or CMYK, with or without transparency',
      received: `${channels} channels (${space})`,
      hint: 'Save the three bands you need as an RGB image.',
    });
  }
  return { ...autoOrient, orientation, colourSpace: space, alpha: hasAlpha && (format !== 'tiff' || saysAlpha(bytes)) };
}

/**
 * Whether a TIFF marks its extra channel as transparency (TIFF 6.0, ExtraSamples 1 and 2); otherwise it may be
 * infrared.
 */
function saysAlpha(bytes: Uint8Array): boolean {
  const [extra] = readDirectory(bytes)?.values.get(TIFF_TAG.extraSamples) ?? [];
  return extra === 1 || extra === 2;
}

/** Decodes as `decodeImage` says. @throws Error of the library */
export async function decodeHere(
  file: ImageFile,
  header: LibraryHeader,
  fit?: readonly [number, number],
): Promise<Image> {
  const reduced = fit && reducedSize(header, fit);
  if (file.format === 'bmp' && !reduced) return decodeBmp(file.bytes);
  const pixels = await openHere(file, header);
  pixels.toColourspace('srgb');
  if (reduced) pixels.resize(reduced.columns, reduced.rows, { fit: 'fill', kernel: 'linear' });
  const { data, info } = await pixels.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  const { width, height } = header;
  return { width: info.width, height: info.height, data, ...(reduced && { original: { width, height } }) };
}

/** Returns an upright, opaque sharp image. */
export async function openHere({ bytes, format }: ImageFile, { colourSpace, alpha }: LibraryHeader): Promise<Sharp> {
  if (format === 'bmp') {
    const { data, width, height } = await decodeBmp(bytes);
    return sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false });
  }
  const ignoreIcc = colourSpace !== 'cmyk';
  const pixels = sharp(bytes, { failOn: 'error', limitInputPixels: false, ignoreIcc }).autoOrient();
  return alpha ? pixels.flatten({ background: '#fff' }) : pixels.removeAlpha();
}

/** The size to which an image is reduced for the network's input; undefined if it is not reduced. */
export function reducedSize(original: Pick<LibraryHeader, 'width' | 'height'>, fit: readonly [number, number]) {
  return letterboxRatio(original, fit) * REDUCED_FROM <= 1 ? fittedSize(original, fit) : undefined;
}

/** Checks that every pixel can be decoded, without holding all of them. @throws Error of the library */
export async function checkHere({ bytes, format }: ImageFile): Promise<void> {
  if (format === 'bmp') {
    await decodeBmp(bytes);
    return;
  }
  // libjpeg warns about damaged pixels; in other formats, warnings concern other parts, such as the tags of a TIFF.
  const failOn = format === 'jpeg' ? 'warning' : 'error';
  await sharp(bytes, { failOn, limitInputPixels: false, ignoreIcc: true })
    .resize(8, 8, { fit: 'fill' })
    .raw()
    .toBuffer();
}
