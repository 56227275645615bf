import sharp from 'sharp';

/** Small files that cost a decoder far more than their pixels; each is well-formed enough to be decoded. */

const flat = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: '#804020' } });

/** A drawing whose layout takes exponential time. */
export function nestedSvg(depth = 30): Buffer {
  const uses = Array.from(
    { length: depth },
    (_, i) => `<g id="g${i + 1}"><use href="#g${i}"/><use href="#g${i}"/></g>`,
  );
  const content = `<defs><g id="g0"><rect width="1" height="1"/></g>${uses.join('')}</defs><use href="#g${depth}"/>`;
  return Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">${content}</svg>`);
}

/** A progressive or a baseline JPEG whose last scan comes again and again. */
export async function manyScans(scans: number, side = 1240, progressive = true): Promise<Buffer> {
  const jpeg = await flat(side, side).jpeg({ progressive }).toBuffer();
  const start = jpeg.lastIndexOf('\xff\xda', undefined, 'latin1');
  const end = jpeg.length - 2;
  return Buffer.concat([jpeg.subarray(0, start), ...Array(scans).fill(jpeg.subarray(start, end)), jpeg.subarray(end)]);
}

/** Three frames of different colours: what an encoder does not take for one. */
function threeFrames(side: number) {
  const pixels = Uint8Array.from({ length: 3 * side * side * 3 }, (_, i) => 80 * Math.floor(i / (side * side * 3)));
  return sharp(pixels, { raw: { width: side, height: 3 * side, channels: 3, pageHeight: side } });
}

export async function webpFrames(frames: number, side = 40): Promise<Buffer> {
  const webp = await threeFrames(side).webp({ effort: 0 }).toBuffer();
  const start = webp.indexOf('ANMF');
  const size = webp.readUInt32LE(start + 4);
  const frame = webp.subarray(start, start + 8 + size + (size % 2));
  const file = Buffer.concat([webp.subarray(0, start), ...Array(frames).fill(frame)]);
  file.writeUInt32LE(file.length - 8, 4);
  return file;
}

export async function gifFrames(frames: number, side = 40): Promise<Buffer> {
  const gif = await threeFrames(side).gif({ effort: 1 }).toBuffer();
  const control = Buffer.from([0x21, 0xf9, 4]);
  const start = gif.indexOf(control);
  const frame = gif.subarray(start, gif.indexOf(control, start + 3));
  return Buffer.concat([gif.subarray(0, start), ...Array(frames).fill(frame), Buffer.from([0x3b])]);
}

/** Well below a kilobyte for each megapixel. */
export const flatAvif = (side: number): Promise<Buffer> => flat(side, side).avif({ effort: 0, quality: 1 }).toBuffer();
