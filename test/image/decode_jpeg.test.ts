import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import sharp, { type JpegOptions } from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeImage } from '../../src/image/decode.js';
import { decodePlainJpeg, readPlainJpeg } from '../../src/image/decode_jpeg.js';

const test = suite('decode jpeg');

/** Grey levels by which two decoders may differ: each rounds in another place. */
const ROUNDING = 5;

/** A soft pattern: what decoders do at hard edges is a matter of taste. */
function pattern(width: number, height: number) {
  const colours = Uint8Array.from({ length: 5 * 4 * 3 }, (_, i) => (i * 97) % 256);
  const size = { fit: 'fill', kernel: 'cubic' } as const;
  return sharp(colours, { raw: { width: 5, height: 4, channels: 3 } }).resize(width, height, size);
}

const sizes = fc.record({ width: fc.integer({ min: 64, max: 150 }), height: fc.integer({ min: 64, max: 150 }) });

test('gives the pixels libjpeg gives, in this thread and beside it', async () => {
  const coding = fc.record({
    quality: fc.integer({ min: 30, max: 100 }),
    progressive: fc.boolean(),
    chromaSubsampling: fc.constantFrom('4:4:4', '4:2:0'),
    grey: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(sizes, coding, async ({ width, height }, { grey, ...coded }) => {
      const coloured = pattern(width, height);
      const bytes = await (grey ? coloured.greyscale() : coloured).jpeg(coded as JpegOptions).toBuffer();
      const jpeg = readPlainJpeg(bytes);
      assert.equal(jpeg, { width, height, exif: false });
      const expected = await sharp(bytes).toColourspace('srgb').raw().toBuffer();
      const image = await decodePlainJpeg(bytes, { width, height, exif: false }, true);
      assert.is(image?.data.length, expected.length);
      const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - (image?.data[i] ?? 0))), 0);
      assert.ok(worst <= ROUNDING, `${worst} levels`);
      assert.equal(await decodePlainJpeg(bytes, { width, height, exif: false }, false), image);
      assert.equal(await decodeImage(bytes), image);
    }),
    { numRuns: 60 },
  );
});

test('leaves what is to be turned, and other colours, to sharp', async () => {
  const cmyk = await pattern(80, 70).toColourspace('cmyk').jpeg().toBuffer();
  assert.is(readPlainJpeg(cmyk), undefined);
  const turned = await pattern(80, 70).withMetadata({ orientation: 6 }).jpeg().toBuffer();
  const header = readPlainJpeg(turned);
  assert.equal(header, { width: 80, height: 70, exif: true });
  assert.is(await decodePlainJpeg(turned, { width: 80, height: 70, exif: true }, true), undefined);
  const { width, height } = await decodeImage(turned);
  assert.equal([width, height], [70, 80]);
  const upright = await pattern(80, 70).withMetadata({ orientation: 1 }).jpeg().toBuffer();
  assert.ok(await decodePlainJpeg(upright, { width: 80, height: 70, exif: true }, true));
});

test('leaves a JPEG whose Adobe segment names other colours than YCbCr to sharp', async () => {
  const bytes = await pattern(80, 70).jpeg().toBuffer();
  const adobe = (transform: number) =>
    Buffer.concat([
      bytes.subarray(0, 2),
      Buffer.from([0xff, 0xee, 0, 14, ...Buffer.from('Adobe'), 0, 100, 0, 0, 0, 0, transform]),
      bytes.subarray(2),
    ]);
  assert.ok(readPlainJpeg(adobe(1)));
  assert.is(readPlainJpeg(adobe(0)), undefined);
});

test('whatever lacks its end or its beginning, or is something else, is not plain', async () => {
  const bytes = await pattern(80, 70).jpeg().toBuffer();
  const cut = fc.integer({ min: 0, max: bytes.length - 1 });
  fc.assert(fc.property(cut, (length) => readPlainJpeg(bytes.subarray(0, length)) === undefined));
  fc.assert(fc.property(cut, (start) => start === 0 || readPlainJpeg(bytes.subarray(start)) === undefined));
  assert.is(readPlainJpeg(readFileSync(import.meta.filename)), undefined);
  assert.is(readPlainJpeg(await pattern(63, 80).jpeg().toBuffer()), undefined);
});

test('no bytes make it fail', async () => {
  const bytes = await pattern(80, 70).jpeg().toBuffer();
  const changes = fc.array(fc.tuple(fc.nat(bytes.length - 3), fc.nat(255)), { minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(changes, async (changed) => {
      const damaged = Buffer.from(bytes);
      for (const [at, value] of changed) damaged[at] = value;
      const jpeg = readPlainJpeg(damaged);
      if (!jpeg || jpeg.width * jpeg.height > 1e6) return;
      const image = await decodePlainJpeg(damaged, jpeg, true);
      assert.ok(image === undefined || image.data.length === 3 * jpeg.width * jpeg.height);
    }),
    { numRuns: 300 },
  );
});

test.run();
