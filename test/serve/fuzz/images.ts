import sharp from 'sharp';
import type { Random } from '../../../src/base/random.js';
import { randomJpeg } from '../make_bundle.js';

/** Values on which sizes, offsets and counts break. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff];

/** Bytes at the start of a file in which damage is most interesting. */
const HEADER_BYTES = 128;

/** Small whole images in every format and many of its variants. */
export async function wholeImages(): Promise<Buffer[]> {
  const jpeg = await randomJpeg(5, 64, 48);
  const from = () => sharp(jpeg);
  const transparent = () => from().ensureAlpha(0.5);
  const frames = { create: { width: 20, height: 60, pageHeight: 20, channels: 4 as const, background: '#f008' } };
  return Promise.all([
    jpeg,
    from().jpeg({ progressive: true }).toBuffer(),
    from().grayscale().jpeg().toBuffer(),
    from().toColourspace('cmyk').jpeg().toBuffer(),
    from().withMetadata({ orientation: 6 }).withIccProfile('p3').jpeg().toBuffer(),
    from().png().toBuffer(),
    transparent().png({ palette: true }).toBuffer(),
    transparent().png({ progressive: true }).toBuffer(),
    from().toColourspace('rgb16').png().toBuffer(),
    from().webp().toBuffer(),
    transparent().webp({ lossless: true }).toBuffer(),
    sharp(frames).webp().toBuffer(),
    from().gif().toBuffer(),
    sharp(frames).gif().toBuffer(),
    from().tiff({ compression: 'lzw' }).toBuffer(),
    from().tiff({ compression: 'jpeg' }).toBuffer(),
    from().tiff({ compression: 'deflate', tile: true, tileWidth: 16, tileHeight: 16, pyramid: true }).toBuffer(),
    from().threshold().toColourspace('b-w').tiff({ compression: 'ccittfax4', bitdepth: 1 }).toBuffer(),
    from().avif({ effort: 0 }).toBuffer(),
    transparent().avif({ effort: 0, lossless: true }).toBuffer(),
  ]);
}

type Damage = (bytes: Buffer, random: Random, others: readonly Buffer[]) => Buffer;

const anywhere = (bytes: Buffer, random: Random): number => random.int(0, Math.max(0, bytes.length - 1));
const inHeader = (bytes: Buffer, random: Random): number => random.int(0, Math.min(HEADER_BYTES, bytes.length) - 1);

const flipBits: Damage = (bytes, random) => {
  for (let i = random.int(1, 20); i > 0; i--) bytes[anywhere(bytes, random)] ^= 1 << random.int(0, 7);
  return bytes;
};
const setHeaderBytes: Damage = (bytes, random) => {
  for (let i = random.int(1, 4); i > 0; i--) bytes[inHeader(bytes, random)] = random.int(0, 255);
  return bytes;
};
const setField: Damage = (bytes, random) => {
  const size = random.pick([1, 2, 4]);
  const at = random.chance(0.7) ? inHeader(bytes, random) : anywhere(bytes, random);
  if (at + size > bytes.length) return bytes;
  const value = random.pick(EDGES) % 2 ** (8 * size);
  if (random.chance(0.5)) bytes.writeUIntBE(value, at, size);
  else bytes.writeUIntLE(value, at, size);
  return bytes;
};
const truncate: Damage = (bytes, random) => bytes.subarray(0, anywhere(bytes, random));
const cutOut: Damage = (bytes, random) => {
  const at = anywhere(bytes, random);
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + random.int(1, 64))]);
};
const repeat: Damage = (bytes, random) => {
  const at = anywhere(bytes, random);
  const block = bytes.subarray(at, at + random.int(1, 256));
  return Buffer.concat([
    bytes.subarray(0, at),
    ...Array.from({ length: random.int(1, 30) }, () => block),
    bytes.subarray(at),
  ]);
};
const splice: Damage = (bytes, random, others) => {
  const other = random.pick(others);
  return Buffer.concat([bytes.subarray(0, anywhere(bytes, random)), other.subarray(anywhere(other, random))]);
};
const noise: Damage = (bytes, random) => {
  const from = random.chance(0.2) ? 0 : anywhere(bytes, random);
  for (let i = from; i < bytes.length; i++) bytes[i] = random.int(0, 255);
  return bytes;
};

const DAMAGES = [flipBits, setHeaderBytes, setField, setField, truncate, cutOut, repeat, splice, noise];

/** A copy of one of the images with one to three damages. */
export function damaged(images: readonly Buffer[], random: Random): Buffer {
  let bytes: Buffer = Buffer.from(random.pick(images));
  for (let i = random.pick([1, 1, 1, 2, 3]); i > 0 && bytes.length > 0; i--)
    bytes = random.pick(DAMAGES)(bytes, random, images);
  return bytes;
}
