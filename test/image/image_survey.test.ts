import sharp from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeImage, ImageError } from '../../src/image/decode.js';
import { isCutOff, MAX_FRAMES, MAX_SCANS, surveyImage } from '../../src/image/image_survey.js';
import { BITMAPS } from './make_bmp.js';
import { gifFrames, manyScans, webpFrames } from './make_hostile.js';
import { makeTiff } from './make_tiff.js';

const test = suite('image survey');

test('scans, frames and pages are counted', async () => {
  const progressive = await manyScans(1, 64);
  const { scans } = surveyImage(progressive, 'jpeg');
  assert.ok(scans > 3 && scans < 20, `${scans} scans`);
  assert.is(surveyImage(await manyScans(40, 64), 'jpeg').scans, scans + 39);
  assert.is(surveyImage(await manyScans(1, 64, false), 'jpeg').scans, 1);
  assert.is(surveyImage(await webpFrames(7), 'webp').frames, 7);
  assert.is(surveyImage(await gifFrames(7), 'gif').frames, 7);
  assert.is(surveyImage(makeTiff({ pages: 7 }), 'tiff').frames, 7);
  assert.is(surveyImage(makeTiff({ pages: 7, big: true }), 'tiff').frames, 7);
  const png = await sharp({ create: { width: 9, height: 9, channels: 3, background: '#fff' } })
    .png()
    .toBuffer();
  const control = Buffer.from('\0\0\0\x08acTL\0\0\0\x07\0\0\0\0crc ', 'latin1');
  assert.is(surveyImage(png, 'png').frames, 1);
  assert.is(surveyImage(Buffer.concat([png.subarray(0, 33), control, png.subarray(33)]), 'png').frames, 7);
  for (const format of ['png', 'avif'] as const)
    assert.equal(surveyImage(Buffer.alloc(40), format), { scans: 1, frames: 1 });
});

test('bytes that look like scans but are none do not count', async () => {
  const jpeg = await manyScans(1, 64);
  const marks = Buffer.from('\xff\xda'.repeat(2000), 'latin1');
  const segment = Buffer.concat([Buffer.from([0xff, 0xe5, (marks.length + 2) >> 8, (marks.length + 2) & 255]), marks]);
  const { scans } = surveyImage(jpeg, 'jpeg');
  const inSegment = Buffer.concat([jpeg.subarray(0, 2), segment, jpeg.subarray(2)]);
  const behind = Buffer.concat([jpeg, marks]);
  assert.is(surveyImage(inSegment, 'jpeg').scans, scans);
  assert.is(surveyImage(behind, 'jpeg').scans, scans);
  assert.is((await decodeImage(inSegment)).width, 64);
});

/** With this many empty comments in front. */
const withComments = (jpeg: Buffer, comments: number): Buffer =>
  Buffer.concat([jpeg.subarray(0, 2), Buffer.alloc(4 * comments, '\xff\xfe\0\x02', 'latin1'), jpeg.subarray(2)]);

test('what is beyond a limit is refused with its reason, before it is decoded', async () => {
  const far = MAX_FRAMES + 1;
  const tags = Array.from({ length: 1200 }, (_, i): [number, number, number[]] => [40_000 + i, 4, [i]]);
  const files: [name: string, file: Buffer, expected: RegExp][] = [
    ['progressive', await manyScans(MAX_SCANS + 1), /at most 100 scans/],
    ['baseline', await manyScans(MAX_SCANS + 1, 1240, false), /at most 100 scans/],
    ['comments', withComments(await manyScans(1, 64), 2500), /at most 2000 segments/],
    ['WebP', await webpFrames(far), /at most 2000 frames/],
    [
      'chunks of a WebP',
      Buffer.concat([await webpFrames(1), Buffer.alloc(8 * far, 'abcd\0\0\0\0')]),
      /at most 2000 frames/,
    ],
    ['GIF', await gifFrames(far), /at most 2000 frames/],
    ['TIFF', makeTiff({ pages: far }), /at most 2000 pages/],
    ['BigTIFF', makeTiff({ pages: far, big: true }), /at most 2000 pages/],
    ['tags of a TIFF', makeTiff({ more: tags }), /fewer tags/],
  ];
  for (const [name, file, expected] of files) {
    try {
      await decodeImage(file, { name });
      assert.unreachable(`${name} was decoded`);
    } catch (error) {
      assert.instance(error, ImageError, String(error));
      assert.is((error as ImageError).fault, 'tooManyParts');
      assert.match((error as ImageError).message, expected);
    }
  }
});

test('animations and files of several pages within the limit give their first', async () => {
  for (const file of [await webpFrames(50), await gifFrames(50), makeTiff({ pages: 50, width: 40, height: 40 })]) {
    const { width, height } = await decodeImage(file);
    assert.equal([width, height], [40, 40]);
  }
});

test('a circle of directories comes to an end', async () => {
  const tiff = makeTiff({ pages: 2 });
  const first = tiff.readUInt32LE(4);
  tiff.writeUInt32LE(first, tiff.length - 4);
  assert.match(surveyImage(tiff, 'tiff').excess?.expected ?? '', 'pages');
});

test('whole files are not taken for cut off, cut ones are', async () => {
  const noise = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * i) % 251);
  const image = sharp(noise, { raw: { width: 64, height: 64, channels: 3 } });
  const files = {
    jpeg: await image.clone().jpeg({ progressive: true }).toBuffer(),
    png: await image.clone().png().toBuffer(),
    webp: await image.clone().webp().toBuffer(),
    gif: await image.clone().gif().toBuffer(),
    tiff: await image.clone().tiff({ compression: 'lzw' }).toBuffer(),
    avif: await image.clone().avif({ effort: 0 }).toBuffer(),
    bmp: BITMAPS['24 bits'],
  };
  for (const [format, file] of Object.entries(files) as [keyof typeof files, Buffer][]) {
    assert.not(isCutOff(file, format), format);
    assert.ok(isCutOff(file.subarray(0, file.length / 2), format), format);
  }
});

test.run();
