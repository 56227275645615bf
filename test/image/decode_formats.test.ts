import sharp from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkPixels, decodeImage, ImageError, openPixels, readHeader } from '../../src/image/decode.js';
import { BITMAPS, BITONAL_BMP, BMP_COLOURS, TRANSPARENT_BMP } from './make_bmp.js';
import { nestedSvg } from './make_hostile.js';
import { makeTiff, type TiffOptions } from './make_tiff.js';

const test = suite('decode formats');

const coloursOf = ({ data }: { data: Uint8Array }): number[][] =>
  Array.from({ length: data.length / 3 }, (_, i) => [...data.subarray(3 * i, 3 * i + 3)]);

async function refusal(work: Promise<unknown>): Promise<ImageError> {
  try {
    await work;
  } catch (error) {
    assert.instance(error, ImageError);
    return error as ImageError;
  }
  return assert.unreachable('should have been refused') as never;
}

test('bitmaps of every kind are read', async () => {
  for (const [name, bmp] of Object.entries(BITMAPS)) {
    await checkPixels(bmp);
    const { width, height, colourSpace } = await readHeader(bmp);
    assert.equal([width, height, colourSpace], [3, 2, 'srgb'], name);
    const image = await decodeImage(bmp);
    assert.equal([image.width, image.height], [3, 2], name);
    // 5 and 6 bits have no grey of 128.
    const worst = coloursOf(image).flatMap((colour, i) =>
      colour.map((value, c) => Math.abs(value - BMP_COLOURS[i][c])),
    );
    assert.ok(Math.max(...worst) <= (name.startsWith('16') ? 4 : 0), `${name}: ${coloursOf(image)}`);
  }
  const [white, black] = [
    [255, 255, 255],
    [0, 0, 0],
  ];
  assert.equal(coloursOf(await decodeImage(BITONAL_BMP)), [white, black, white, black, white, black]);
  assert.equal(coloursOf(await decodeImage(TRANSPARENT_BMP))[4], [127, 127, 127]);
});

test('a bitmap larger than the input is reduced as any other image', async () => {
  const { data } = await decodeImage(BITMAPS['24 bits']);
  const wide = Buffer.alloc(54 + 900 * 3 * 300);
  BITMAPS['24 bits'].copy(wide, 0, 0, 54);
  wide.writeInt32LE(900, 18);
  wide.writeInt32LE(300, 22);
  wide.fill(Buffer.from(data.subarray(0, 3)).reverse(), 54);
  const image = await decodeImage(wide, { fit: [96, 96] });
  assert.equal([image.width, image.height, image.original], [96, 32, { width: 900, height: 300 }]);
  assert.equal(coloursOf(image)[100], [255, 0, 0]);
  assert.is((await (await openPixels(wide)).png().toBuffer())[1], 0x50);
  assert.match((await refusal(decodeImage(wide, { maxPixels: 1000 }))).message, 'received "900x300"');
  const cut = await refusal(decodeImage(wide.subarray(0, 1000)));
  assert.match(cut.message, /a whole BMP image.*cut off/);
});

const red = [200, 100, 50];

test('TIFFs of many kinds are read as what they mean', async () => {
  const cases: [name: string, tiff: TiffOptions, colour: number[]][] = [
    ['RGB', {}, red],
    ['BigTIFF', { big: true }, red],
    ['16 bits', { bits: 16, pixel: red.map((value) => 257 * value) }, red],
    ['grey', { pixel: [77], photometric: 1 }, [77, 77, 77]],
    ['white is zero', { pixel: [77], photometric: 0 }, [178, 178, 178]],
    ['grey of 16 bits', { pixel: [77 * 257], photometric: 1, bits: 16 }, [77, 77, 77]],
    ['straight alpha', { pixel: [...red, 128], extra: [2] }, [227, 177, 152]],
    // Infrared is not transparency.
    ['RGB and infrared', { pixel: [...red, 10], extra: [0] }, red],
    ['a fourth channel without a meaning', { pixel: [...red, 10] }, red],
    ['grey and another', { pixel: [77, 10], photometric: 1, extra: [0] }, [77, 77, 77]],
    [
      'private tags',
      {
        more: [
          [33550, 3, [1, 2, 3]],
          [42113, 3, [7]],
          [65000, 4, [1]],
        ],
      },
      red,
    ],
    ['text with a NUL inside', { more: [[270, 2, [...Buffer.from('one\0two\0')]]] }, red],
    ['tags out of order', { sorted: false }, red],
    ['several pages', { pages: 3 }, red],
  ];
  for (const [name, tiff, colour] of cases) {
    const bytes = makeTiff(tiff);
    // Both agree about what is an image.
    await checkPixels(bytes);
    const [first] = coloursOf(await decodeImage(bytes));
    assert.ok(
      first.every((value, c) => Math.abs(value - colour[c]) <= 1),
      `${name}: ${first}`,
    );
  }
});

test('a TIFF whose values have no agreed meaning is refused rather than guessed', async () => {
  for (const tiff of [
    { bits: 32, format: 3, pixel: [0.5], photometric: 1 },
    { bits: 32, pixel: [7], photometric: 1 },
    { format: 2, pixel: [7], photometric: 1 },
  ] satisfies TiffOptions[]) {
    const { message, fault } = await refusal(decodeImage(makeTiff(tiff)));
    assert.match(message, /samples of 8 or 16 bits/);
    assert.is(fault, 'format');
  }
  const { message } = await refusal(decodeImage(makeTiff({ pixel: [1, 2, 3, 4, 5], extra: [0, 0] })));
  assert.match(message, /grey, RGB or CMYK.*5 channels/);
});

test('a cut-off file of any format is named so', async () => {
  const noise = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * i) % 251);
  const image = sharp(noise, { raw: { width: 64, height: 64, channels: 3 } });
  for (const format of ['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'] as const) {
    const bytes = await image.clone()[format]().toBuffer();
    const { message, fault } = await refusal(decodeImage(bytes.subarray(0, Math.floor(bytes.length / 2))));
    assert.match(message, /a whole .* image, received "one that is cut off"/, format);
    assert.is(fault, 'damaged');
  }
});

test('a JPEG whose tail is zeros or missing is refused, one with more behind its end is not', async () => {
  const noise = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * i) % 251);
  const jpeg = await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } })
    .jpeg()
    .toBuffer();
  const start = jpeg.subarray(0, jpeg.length - 400);
  for (const bytes of [Buffer.concat([start, Buffer.alloc(400)]), jpeg.subarray(0, jpeg.length - 2)]) {
    for (const work of [decodeImage, checkPixels]) {
      assert.match((await refusal(work(bytes))).message, /a whole JPEG image, received "one that is cut off"/);
    }
  }
  assert.is((await decodeImage(Buffer.concat([jpeg, Buffer.from('and more')]))).width, 64);
});

test('reasons of images decoded at the same time are each their own', async () => {
  const soft = sharp({ create: { width: 90, height: 90, channels: 3, background: '#804020' } });
  const jpeg = await soft.clone().jpeg().toBuffer();
  const png = await soft.clone().png().toBuffer();
  // Of the right structure, with nonsense inside.
  const scrambled = (file: Buffer, mark: string) => {
    const copy = Buffer.from(file);
    return copy.fill(0x5a, copy.indexOf(mark, 0, 'latin1') + 4 + 2, copy.length - 20);
  };
  const wrong: [Buffer, RegExp][] = [
    [scrambled(png, 'IDAT'), /a valid PNG image, received "\S*png/i],
    [scrambled(await soft.clone().webp().toBuffer(), 'VP8 '), /a valid WebP image, received ".*webp/i],
    [makeTiff({ more: [[259, 3, [9999]]] }), /a valid TIFF image, received ".*(compression|tiff)/i],
    [jpeg.subarray(0, 300), /a whole JPEG image/],
  ];
  const many = Array.from({ length: 24 }, (_, i) => wrong[i % wrong.length]);
  await Promise.all(
    many.map(async ([file, reason]) => assert.match((await refusal(decodeImage(file))).message, reason)),
  );
});

test('libvips opens no SVG for anybody in this process', async () => {
  assert.is((await refusal(decodeImage(nestedSvg()))).problem.received, 'an SVG drawing');
  const opened = await sharp(nestedSvg(2))
    .metadata()
    .catch((error: Error) => error);
  assert.match(String(opened), /unsupported image format/);
});

test.run();
