import { readFileSync } from 'node:fs';
import sharp, { type Sharp } from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../src/base/errors.js';
import { sha256 } from '../../src/base/files.js';
import { checkPixels, decodeImage, readHeader } from '../../src/image/decode.js';
import { shared, suiteNeeding } from '../support/shared.js';

const test = suite('decode');

type Rgba = [number, number, number, number];

const RED: Rgba = [255, 0, 0, 255];
const BLUE: Rgba = [0, 0, 255, 255];
const CLEAR: Rgba = [9, 9, 9, 0];

/** 8×4, left half of one colour, right half of another. */
function halves(left: Rgba, right: Rgba): Sharp {
  const row = [...Array(4).fill(left), ...Array(4).fill(right)].flat();
  return sharp(Buffer.from([row, row, row, row].flat()), { raw: { width: 8, height: 4, channels: 4 } });
}

async function refused(work: Promise<unknown>, pattern: RegExp): Promise<void> {
  try {
    await work;
  } catch (error) {
    assert.instance(error, UserError);
    assert.match((error as Error).message, pattern);
    return;
  }
  assert.unreachable('should have been refused');
}

const pixel = (image: { width: number; data: Uint8Array }, x: number, y: number): number[] => [
  ...image.data.slice((y * image.width + x) * 3, (y * image.width + x) * 3 + 3),
];

const near = (actual: number[], expected: number[], tolerance = 6): void => {
  const far = actual.some((value, i) => Math.abs(value - expected[i]) > tolerance);
  assert.not.ok(far, `${actual} for ${expected}`);
};

test('each EXIF orientation comes out upright', async () => {
  // Where the stored left half goes: [a pixel in it, a pixel in the other half] of the upright image.
  const homes: Record<number, [[number, number], [number, number]]> = {
    1: [
      [1, 1],
      [6, 1],
    ],
    2: [
      [6, 1],
      [1, 1],
    ],
    3: [
      [6, 1],
      [1, 1],
    ],
    4: [
      [1, 1],
      [6, 1],
    ],
    5: [
      [1, 1],
      [1, 6],
    ],
    6: [
      [1, 1],
      [1, 6],
    ],
    7: [
      [1, 6],
      [1, 1],
    ],
    8: [
      [1, 6],
      [1, 1],
    ],
  };
  for (const [orientation, [red, blue]] of Object.entries(homes)) {
    const bytes = await halves(RED, BLUE)
      .withMetadata({ orientation: Number(orientation) })
      .png()
      .toBuffer();
    const image = await decodeImage(bytes);
    const { width, height } = await readHeader(bytes);
    assert.equal([image.width, image.height], Number(orientation) < 5 ? [8, 4] : [4, 8]);
    assert.equal([width, height], [image.width, image.height]);
    assert.equal(
      [pixel(image, ...red), pixel(image, ...blue)],
      [
        [255, 0, 0],
        [0, 0, 255],
      ],
    );
  }
});

test('grey, palette, transparent, CMYK and 16-bit images become RGB bytes', async () => {
  const words = Uint16Array.from({ length: 8 * 4 }, () => 0x8080);
  const cases: [name: string, bytes: Buffer, colour: number[]][] = [
    ['grey', await halves([119, 119, 119, 255], BLUE).removeAlpha().greyscale().png().toBuffer(), [119, 119, 119]],
    ['grey with alpha', await halves(CLEAR, BLUE).toColourspace('b-w').png().toBuffer(), [255, 255, 255]],
    ['palette', await halves(RED, BLUE).png({ palette: true }).toBuffer(), [255, 0, 0]],
    ['transparent', await halves(CLEAR, BLUE).png().toBuffer(), [255, 255, 255]],
    ['half transparent', await halves([255, 0, 0, 128], BLUE).webp({ lossless: true }).toBuffer(), [255, 127, 127]],
    [
      'CMYK',
      await halves(CLEAR, CLEAR).flatten({ background: '#fff' }).toColourspace('cmyk').jpeg().toBuffer(),
      [255, 255, 255],
    ],
    ['RGB 16 bit', await halves(RED, BLUE).removeAlpha().toColourspace('rgb16').png().toBuffer(), [255, 0, 0]],
    [
      'grey 16 bit',
      await sharp(words, { raw: { width: 8, height: 4, channels: 1 } })
        .toColourspace('grey16')
        .png()
        .toBuffer(),
      [128, 128, 128],
    ],
  ];
  for (const [name, bytes, colour] of cases) {
    const image = await decodeImage(bytes);
    assert.is(image.data.length, 8 * 4 * 3, name);
    near(pixel(image, 1, 1), colour);
  }
});

test('the numbers of an image are taken as they are, whatever its profile', async () => {
  const bytes = await halves(RED, BLUE).removeAlpha().withIccProfile('p3').png().toBuffer();
  assert.ok((await sharp(bytes).metadata()).hasProfile);
  // sRGB's red on the Display P3 scale: CSS Color 4, color(display-p3 0.9175 0.2003 0.1386).
  near(pixel(await decodeImage(bytes), 1, 1), [234, 51, 35], 1);
});

/** A soft pattern, as an image of any size and format has it. */
function pattern(width: number, height: number): Sharp {
  const colours = Uint8Array.from({ length: 5 * 4 * 3 }, (_, i) => (i * 97) % 256);
  return sharp(colours, { raw: { width: 5, height: 4, channels: 3 } }).resize(width, height, {
    fit: 'fill',
    kernel: 'cubic',
  });
}

test('for the network alone an image three times as large comes reduced to what fits', async () => {
  const fit = [64, 96] as const;
  const expected = await pattern(80, 64).removeAlpha().raw().toBuffer();
  const cases: [name: string, bytes: Buffer][] = [
    ['JPEG', await pattern(400, 320).jpeg({ quality: 95 }).toBuffer()],
    [
      'JPEG turned',
      await pattern(400, 320).rotate(90).withMetadata({ orientation: 8 }).jpeg({ quality: 95 }).toBuffer(),
    ],
    ['CMYK', await pattern(400, 320).toColourspace('cmyk').jpeg({ quality: 95 }).toBuffer()],
    ['PNG', await pattern(400, 320).png().toBuffer()],
    ['PNG 16 bit', await pattern(400, 320).toColourspace('rgb16').png().toBuffer()],
    ['WebP with alpha', await pattern(400, 320).ensureAlpha().webp({ lossless: true }).toBuffer()],
  ];
  for (const [name, bytes] of cases) {
    const { width, height, data, original } = await decodeImage(bytes, { fit });
    assert.equal([width, height, original], [80, 64, { width: 400, height: 320 }], name);
    const difference = data.reduce((sum, value, i) => sum + Math.abs(value - expected[i]), 0) / data.length;
    // CMYK has other colours, and the printing profile is only near.
    assert.ok(difference < (name === 'CMYK' ? 30 : 4), `${name}: ${difference} levels on average`);
  }
});

test('for the network alone a smaller image comes whole, pixel for pixel', async () => {
  const bytes = await pattern(287, 191).jpeg().toBuffer();
  const whole = await decodeImage(bytes);
  assert.equal(await decodeImage(bytes, { fit: [64, 96] }), whole);
  assert.not('original' in whole);
});

test('a reduced image is as strictly checked as a whole one', async () => {
  const bytes = await pattern(900, 900).jpeg().toBuffer();
  const fit = [32, 32] as const;
  await refused(decodeImage(bytes.subarray(0, bytes.length * 0.6), { fit }), /a whole JPEG image, .* cut off/);
  await refused(decodeImage(bytes, { fit, maxPixels: 1000 }), /at most 1000 pixels/);
});

test('what is no image is refused in words', async () => {
  const jpeg = await halves(RED, BLUE).resize(256, 256).jpeg().toBuffer();
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>');
  await refused(decodeImage(Buffer.alloc(0), { name: 'a.jpg' }), /^a\.jpg: expected an image .*an empty file/);
  await refused(decodeImage(Buffer.from('plain text')), /expected an image .* received "text"/);
  await refused(decodeImage(svg), /received "an SVG drawing"/);
  await refused(decodeImage('no/such.jpg'), /no\/such\.jpg.*ENOENT.*There is no/);
  await refused(decodeImage(jpeg.subarray(0, jpeg.length * 0.7)), /cut off/);
  await refused(checkPixels(jpeg.subarray(0, jpeg.length - 2)), /cut off/);
  await refused(decodeImage(jpeg, { maxPixels: 256 * 256 - 1 }), /at most 65535 pixels, received "256x256"/);
  await decodeImage(jpeg, { maxPixels: 256 * 256 });
});

test('a gigantic image is refused by its header', async () => {
  const bomb = await sharp({
    create: { width: 11_000, height: 10_000, channels: 3, background: '#fff' },
    limitInputPixels: false,
  })
    .png({ compressionLevel: 9 })
    .toBuffer();
  assert.ok(bomb.length < 2_000_000);
  await refused(decodeImage(bomb), /at most 100000000 pixels, received "11000x10000"/);
});

test.run();

const photo = shared('photos', 'dog.jpg');
const real = suiteNeeding('decode a real image', [photo]);

real('a JPEG decodes to the pixels OpenCV gives, but for rounding', async () => {
  const bytes = readFileSync(photo);
  const { width, height, data } = await decodeImage(bytes);
  assert.equal([width, height], [768, 576]);
  const opencv = await sharp(bytes).raw().toBuffer();
  assert.is(sha256(opencv), 'bd6a179ed7d1bd7854dca517afb82e4de37b209f675171eb31c29ce3b4de18a6');
  const differences = opencv.map((value, i) => Math.abs(value - data[i]));
  assert.ok(differences.reduce((most, value) => Math.max(most, value)) <= 5);
  assert.ok(differences.reduce((sum, value) => sum + value, 0) / differences.length < 0.5);
  await checkPixels(bytes);
});

real('a JPEG damaged in the middle is found', async () => {
  const bytes = readFileSync(photo);
  bytes.fill(0x5a, 80_000, 80_200);
  await refused(checkPixels(bytes), /Corrupt JPEG/);
});

real.run();
