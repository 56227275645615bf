import type { Sharp } from 'sharp';
import { UserError } from '../base/errors.js';
import { readBytes } from '../base/files.js';
import { type ApartResults, type ApartTask, DecoderDied, decodeApart, TookTooLong } from './decode_apart.js';
import { withinBudget } from './decode_budget.js';
import {
  checkHere,
  decodeHere,
  type ImageFile,
  type ImageHeader,
  openHere,
  readHeaderHere,
  reducedSize,
} from './decode_here.js';
import { decodePlainJpeg, readPlainJpeg } from './decode_jpeg.js';
import type { Image } from './image.js';
import { ImageError } from './image_error.js';
import { FORMATS, type ImageFormat, identifyImage } from './image_format.js';
import { isCutOff, type Survey, surveyImage } from './image_survey.js';

export type { ImageHeader } from './decode_here.js';
export { ImageError, type ImageFault } from './image_error.js';

/** Default limit of an image's decoded size, pixels. */
const MAX_PIXELS = 100_000_000;

/** Default limit of the time of decoding one image, milliseconds. */
const TIMEOUT_MS = 30_000;

const AGAIN = 'Copy or download it again, or save it anew.';
const names = Object.values(FORMATS);
const IMAGE = `an image (${names.slice(0, -1).join(', ')} or ${names.at(-1)})`;

/** Nanoseconds a pixel takes at most to be decoded on a slow core, and one more pass over it. */
const PIXEL_NS: Record<ImageFormat, number> = { jpeg: 8, png: 25, webp: 25, gif: 15, tiff: 20, avif: 70, bmp: 10 };
const SCAN_NS = 2.5;

/** Share of the time allowed that the estimate may take; whatever comes nearer is decoded where it can be ended. */
const SURE = 1 / 3;

/** What images may cost that are decoded. */
export interface DecodeLimits {
  /** Images with more pixels are refused before they are decoded. */
  maxPixels?: number;
  /** Images with a longer side, pixels, as well. */
  maxSide?: number;
  /** Milliseconds after which decoding is given up. */
  decodeTimeout?: number;
}

/** For images that have been checked before, by {@link checkPixels} and within the limits of then. */
export const CHECKED: DecodeLimits = { maxPixels: Number.POSITIVE_INFINITY, decodeTimeout: Number.POSITIVE_INFINITY };

export interface DecodeOptions extends DecodeLimits {
  /** Height, width of the network's input, for an image that is for it alone. */
  fit?: readonly [number, number];
  /** Decode a plain JPEG in the thread that calls, for one that has nothing else to do: spares waking another. */
  inThread?: boolean;
  /** Do nothing in another process, which takes its time: throw {@link TakesLong} instead. */
  short?: boolean;
  /** Name for messages when `source` is bytes. */
  name?: string;
}

type Size = Pick<ImageHeader, 'width' | 'height'>;

/** The image can only be had without `short`: it is large, or the reason why it cannot be decoded is to be found. */
export class TakesLong extends Error {}

/** A file whose format is known, and whose scans and frames are few enough. */
interface Surveyed extends ImageFile {
  survey: Survey;
}

/**
 * Reads an image into upright, opaque 8-bit sRGB whatever it was: EXIF-rotated, grey, transparent (laid on white),
 * CMYK or 16-bit. The numbers of RGB images are taken as they are, whatever their ICC profile means by them: so read
 * those the pretrained weights and the reference figures come from, and converting costs twice as much as decoding. CMYK
 * has no numbers to take, and is converted by its profile.
 *
 * With `fit`, an image at least three times larger than what the letterbox fits into the input comes reduced to just
 * that, averaged over all its pixels: for a JPEG in a fraction of the time and memory. Whatever looks for objects reads
 * its images so: validation, evaluation, packing, prediction and serving. Training itself cuts its mosaics from whole
 * images.
 *
 * The format is decided by the first bytes before a library sees any; scans, frames and pixels are counted before they
 * are decoded. An image that may take long all the same is decoded in a process of its own, which is ended after
 * `decodeTimeout`.
 *
 * @param source bytes of the file, or its path
 * @throws ImageError when it is no image, damaged, larger than the limits, or takes too long
 */
export async function decodeImage(source: Uint8Array | string, options: DecodeOptions = {}): Promise<Image> {
  const file = await openWhole(source, options);
  const plain = await decodePlain(file, options);
  if (plain) return plain;
  const header = await checkedHeader(file, source, options);
  const { fit } = options;
  const task = { work: 'decode', file, header, fit } as const;
  return guarded(
    task,
    source,
    options,
    unlessLong(file, header, options, () => decodeHere(file, header, fit)),
  );
}

/** Reads and checks the header alone. Errors as in {@link decodeImage}. */
export async function readHeader(source: Uint8Array | string, options: DecodeOptions = {}): Promise<ImageHeader> {
  return checkedHeader(await open(source, options), source, options);
}

/**
 * Makes sure that every pixel can be decoded, at less cost than decoding and without holding the image in memory.
 * Stricter than {@link decodeImage}: a JPEG whose decoder warns about its pixels is damaged. Errors as in
 * {@link decodeImage}.
 */
export async function checkPixels(source: Uint8Array | string, options: DecodeOptions = {}): Promise<void> {
  const file = await openWhole(source, options);
  const header = await checkedHeader(file, source, options);
  const check = () => checkHere(file).then(() => undefined);
  await guarded({ work: 'check', file }, source, options, unlessLong(file, header, options, check));
}

/**
 * An image for sharp to go on with, upright and opaque, after the checks of its header; errors in its pixels are those of
 * sharp. For images that {@link checkPixels} has passed.
 */
export async function openPixels(source: Uint8Array | string, options: DecodeOptions = {}): Promise<Sharp> {
  const file = await openWhole(source, options);
  return openHere(file, await checkedHeader(file, source, options));
}

/** Reads a file and decides what it is, before a library sees it. */
async function open(source: Uint8Array | string, options: DecodeOptions): Promise<Surveyed> {
  const where = nameOf(source, options);
  const bytes = typeof source === 'string' ? await readBytes(source) : source;
  const format = identifyImage(bytes);
  if (typeof format !== 'string') {
    throw new ImageError('format', { where, expected: IMAGE, received: format.name, hint: format.hint });
  }
  const survey = surveyImage(bytes, format);
  if (survey.excess) throw new ImageError('tooManyParts', { where, ...survey.excess });
  return { bytes, format, survey };
}

/** The same for an image whose pixels are wanted. */
async function openWhole(source: Uint8Array | string, options: DecodeOptions): Promise<Surveyed> {
  const file = await open(source, options);
  if (lacksEnd(file)) throw cutOff(nameOf(source, options), file.format);
  return file;
}

/** A JPEG without its end marker, such as one whose tail is zeros: decoders may take what is missing for grey pixels. */
function lacksEnd({ bytes, format }: ImageFile): boolean {
  const [last, end] = bytes.subarray(-2);
  return format === 'jpeg' && !(last === 0xff && end === 0xd9) && isCutOff(bytes, format);
}

/** A JPEG as almost all are; undefined for all else, also for what is to be refused. */
async function decodePlain(file: Surveyed, options: DecodeOptions): Promise<Image | undefined> {
  const jpeg = file.format === 'jpeg' ? readPlainJpeg(file.bytes) : undefined;
  if (!jpeg || excess(jpeg, options) || isLong(file, jpeg, options)) return undefined;
  if (options.fit && reducedSize(jpeg, options.fit)) return undefined;
  return decodePlainJpeg(file.bytes, jpeg, options.inThread ?? false);
}

async function checkedHeader(
  file: Surveyed,
  source: Uint8Array | string,
  options: DecodeOptions,
): Promise<ImageHeader> {
  const header = await guarded({ work: 'header', file }, source, options, () => readHeaderHere(file));
  const expected = excess(header, options);
  if (!expected) return { ...header, frames: file.survey.frames };
  const { width, height } = header;
  throw new ImageError('tooManyPixels', { where: nameOf(source, options), expected, received: `${width}x${height}` });
}

/** The limit an image exceeds, in words. */
function excess({ width, height }: Size, options: DecodeLimits): string | undefined {
  const { maxPixels = MAX_PIXELS, maxSide = Number.POSITIVE_INFINITY } = options;
  if (width * height > maxPixels) return `at most ${maxPixels} pixels`;
  return Math.max(width, height) > maxSide ? `sides of at most ${maxSide} pixels` : undefined;
}

/** Whether decoding may come near the time allowed. */
function isLong(
  { format, survey }: Surveyed,
  { width, height }: Size,
  { decodeTimeout = TIMEOUT_MS }: DecodeLimits,
): boolean {
  const perPixel = PIXEL_NS[format] + SCAN_NS * survey.scans;
  return (width * height * perPixel) / 1e6 > SURE * decodeTimeout;
}

/** The work when there is memory for it, unless it may come near the time allowed. */
function unlessLong<T>(file: Surveyed, header: ImageHeader, options: DecodeLimits, work: () => Promise<T>) {
  if (isLong(file, header, options)) return undefined;
  return () => withinBudget(file.format, header.width * header.height, work);
}

/**
 * Does a task in this process, or apart when it may take long. What fails here is done again apart: libraries keep their
 * errors in one place for the whole process, where those of images decoded at the same time are mixed up.
 */
async function guarded<T extends ApartTask>(
  task: T,
  source: Uint8Array | string,
  options: DecodeOptions,
  here?: () => Promise<ApartResults[T['work']]>,
): Promise<ApartResults[T['work']]> {
  const where = nameOf(source, options);
  const { bytes, format } = task.file;
  try {
    if (here) return await here();
  } catch (error) {
    if (!(error instanceof UserError) && isCutOff(bytes, format)) throw cutOff(where, format, error);
  }
  const { decodeTimeout = TIMEOUT_MS, short = false } = options;
  if (short) throw new TakesLong();
  const reply = await decodeApart({ ...task, file: { bytes, format } }, decodeTimeout).catch((error: unknown) => {
    if (error instanceof TookTooLong) throw tooSlow(where, decodeTimeout, error);
    if (error instanceof DecoderDied) return { failed: 'its decoder crashes on it' };
    throw error;
  });
  if ('result' in reply) return reply.result as ApartResults[T['work']];
  if ('problem' in reply) throw new ImageError('format', { where, ...reply.problem });
  if (isCutOff(bytes, format)) throw cutOff(where, format, reply.failed);
  const received = reasonOf(reply.failed);
  throw new ImageError('damaged', { where, expected: `a sound ${FORMATS[format]} image`, received, hint: AGAIN });
}

/** A library adds a line per place it passed; that it looked beyond the end of the file is the least of them. */
function reasonOf(said: string): string {
  const lines = said.split('\n').map((line) => line.trim());
  return lines.find((line) => line !== '' && !line.startsWith('source: bad seek')) ?? lines[0];
}

function cutOff(where: string | undefined, format: ImageFormat, cause?: unknown): ImageError {
  const expected = `a whole ${FORMATS[format]} image`;
  return new ImageError('damaged', { where, expected, received: 'one that is cut off', hint: AGAIN }, { cause });
}

function tooSlow(where: string | undefined, timeout: number, cause: unknown): ImageError {
  const expected = `an image that is decoded within ${timeout / 1000} s`;
  const hint = 'Save it again at its size as a baseline JPEG.';
  return new ImageError('tooSlow', { where, expected, received: 'one that takes longer', hint }, { cause });
}

function nameOf(source: Uint8Array | string, { name }: DecodeOptions): string | undefined {
  return name ?? (typeof source === 'string' ? source : undefined);
}
