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

/** Default limit of the decoded size, pixels. */
const MAX_PIXELS = 100_000_000;

/** Default limit of the time of decoding one image, milliseconds. */
const TIMEOUT_MS = 30_000;

const AGAIN = 'Copy, download or save it again.';
const names = Object.values(FORMATS);
const IMAGE = `an image (${names.slice(0, -1).join(', ')} or ${names.at(-1)})`;

/** Upper bounds, on a slow core, of nanoseconds to decode a pixel and for each further pass over it. */
const PIXEL_NS: Record<ImageFormat, number> = { jpeg: 8, png: 25, webp: 25, gif: 15, tiff: 20, avif: 70, bmp: 10 };
const SCAN_NS = 2.5;

/** An image whose estimate exceeds this fraction of the allowed time is decoded in a process that can be ended. */
const SURE = 1 / 3;

/** Limits for decoding images. */
export interface DecodeLimits {
  /** Images with more pixels are refused before decoding. */
  maxPixels?: number;
  /** Images with a longer side, in pixels, are refused before decoding. */
  maxSide?: number;
  /** Milliseconds after which decoding is abandoned. */
  decodeTimeout?: number;
}

/** For images already checked by {@link checkPixels} with the limits that applied then. */
export const CHECKED: DecodeLimits = { maxPixels: Number.POSITIVE_INFINITY, decodeTimeout: Number.POSITIVE_INFINITY };

export interface DecodeOptions extends DecodeLimits {
  /** Height and width of the network's input, for images used for nothing else. */
  fit?: readonly [number, number];
  /** Decode plain JPEGs in the calling thread if it has nothing else to do; this avoids waking another thread. */
  inThread?: boolean;
  /** Throw {@link TakesLong} instead of using another process, which takes long. */
  short?: boolean;
  /** Name for messages when `source` is bytes. */
  name?: string;
}

type Size = Pick<ImageHeader, 'width' | 'height'>;

/** Decoding needs another process: the image is large, or failed and must be decoded again to find the reason. */
export class TakesLong extends Error {}

/** A file with a known format and an acceptable number of scans and frames. */
interface Surveyed extends ImageFile {
  survey: Survey;
}

/**
 * Decodes any image to upright, opaque 8-bit sRGB: EXIF-rotated, grey, transparent (laid on white), CMYK or 16-bit. RGB
 * values are used as stored, ignoring ICC profiles, as in the pipelines of the pretrained weights and reference
 * figures; converting would cost twice as much as decoding. CMYK is converted by its profile.
 *
 * With `fit`, an image at least three times larger than its letterboxed size is reduced to that size, averaging all
 * pixels; for a JPEG, this takes a fraction of the time and memory. All detection uses it: validation, evaluation,
 * packing, prediction and serving. Training cuts its mosaics from whole images.
 *
 * The first bytes determine the format before a library sees the file; scans, frames and pixels are counted before
 * decoding. An image that may still take long is decoded in a separate process, which is ended after `decodeTimeout`.
 *
 * @param source bytes of the file, or its path
 * @throws ImageError if the source is not an image, is damaged, exceeds the limits, or takes too long
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

/** Reads and checks only the header. Errors as in {@link decodeImage}. */
export async function readHeader(source: Uint8Array | string, options: DecodeOptions = {}): Promise<ImageHeader> {
  return checkedHeader(await open(source, options), source, options);
}

/**
 * Checks that every pixel can be decoded, more cheaply than decoding and without holding the image in memory. Stricter
 * than {@link decodeImage}: a JPEG counts as damaged if its decoder warns about pixels. Errors as in {@link
 * decodeImage}.
 */
export async function checkPixels(source: Uint8Array | string, options: DecodeOptions = {}): Promise<void> {
  const file = await openWhole(source, options);
  const header = await checkedHeader(file, source, options);
  const check = () => checkHere(file).then(() => undefined);
  await guarded({ work: 'check', file }, source, options, unlessLong(file, header, options, check));
}

/**
 * Returns an upright, opaque sharp image after checking the header; sharp reports errors in the pixels. For images that
 * {@link checkPixels} has accepted.
 */
export async function openPixels(source: Uint8Array | string, options: DecodeOptions = {}): Promise<Sharp> {
  const file = await openWhole(source, options);
  return openHere(file, await checkedHeader(file, source, options));
}

/** Reads a file and determines its format before a library sees it. */
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

/** Like `open`, for images whose pixels are needed. */
async function openWhole(source: Uint8Array | string, options: DecodeOptions): Promise<Surveyed> {
  const file = await open(source, options);
  if (lacksEnd(file)) throw cutOff(nameOf(source, options), file.format);
  return file;
}

/** Whether a JPEG lacks its end marker, for example because its tail is zeros: decoders may fill in grey pixels. */
function lacksEnd({ bytes, format }: ImageFile): boolean {
  const [last, end] = bytes.subarray(-2);
  return format === 'jpeg' && !(last === 0xff && end === 0xd9) && isCutOff(bytes, format);
}

/** Decodes an ordinary JPEG; undefined for all other files, including those to be refused. */
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

/** Describes the limit an image exceeds. */
function excess({ width, height }: Size, options: DecodeLimits): string | undefined {
  const { maxPixels = MAX_PIXELS, maxSide = Number.POSITIVE_INFINITY } = options;
  if (width * height > maxPixels) return `at most ${maxPixels} pixels`;
  return Math.max(width, height) > maxSide ? `sides of at most ${maxSide} pixels` : undefined;
}

/** Whether decoding may come near the time limit. */
function isLong(
  { format, survey }: Surveyed,
  { width, height }: Size,
  { decodeTimeout = TIMEOUT_MS }: DecodeLimits,
): boolean {
  const perPixel = PIXEL_NS[format] + SCAN_NS * survey.scans;
  return (width * height * perPixel) / 1e6 > SURE * decodeTimeout;
}

/** Runs the work once there is memory for it, unless it may come near the time limit. */
function unlessLong<T>(file: Surveyed, header: ImageHeader, options: DecodeLimits, work: () => Promise<T>) {
  if (isLong(file, header, options)) return undefined;
  return () => withinBudget(file.format, header.width * header.height, work);
}

/**
 * Runs a task in this process, or in a separate one if it may take long. A task that fails here is repeated there,
 * because libraries keep errors per process and mix up those of images decoded concurrently.
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
  throw new ImageError('damaged', { where, expected: `a valid ${FORMATS[format]} image`, received, hint: AGAIN });
}

/** Libraries add a line per stage; reading beyond the end of the file is the least informative one. */
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
