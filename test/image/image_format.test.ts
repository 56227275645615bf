import * as fc from 'fast-check';
import sharp from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { identifyImage } from '../../src/image/image_format.js';
import { BITMAPS } from './make_bmp.js';
import { nestedSvg } from './make_hostile.js';
import { makeTiff } from './make_tiff.js';

const test = suite('image format');

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const nameOf = (file: Uint8Array): string => {
  const format = identifyImage(file);
  return typeof format === 'string' ? format : format.name;
};

test('each format that is read is known by its first bytes', async () => {
  const image = sharp({ create: { width: 8, height: 8, channels: 3, background: '#f00' } });
  for (const format of ['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'] as const) {
    assert.is(nameOf(await image.clone()[format]().toBuffer()), format);
  }
  for (const [name, bmp] of Object.entries(BITMAPS)) assert.is(nameOf(bmp), 'bmp', name);
  assert.is(nameOf(makeTiff({ big: true })), 'tiff');
});

/** First bytes as the formats define them. */
const OTHERS: readonly [file: Buffer | string, name: RegExp][] = [
  ['', /empty/],
  [nestedSvg(2), /SVG/],
  ['\xef\xbb\xbf  <?xml version="1.0"?>\n<!-- a comment -->\n<svg xmlns="http://www.w3.org/2000/svg"/>', /SVG/],
  ['<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "svg11.dtd"><svg/>', /SVG/],
  ['<s:svg xmlns:s="http://www.w3.org/2000/svg"/>', /SVG/],
  [Buffer.from('\ufeff<svg xmlns="http://www.w3.org/2000/svg"/>', 'utf16le'), /SVG/],
  [Buffer.from('\ufeff<svg/>', 'utf16le').swap16(), /SVG/],
  ['<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', /XML/],
  ['<!doctype html><title>404</title>', /HTML/],
  ['<html><svg></svg></html>', /HTML/],
  ['{"error": "not found"}', /JSON/],
  ['version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n', /Git LFS/],
  ['data:image/png;base64,iVBORw0KGgo=', /Base64/],
  ['/9j/4AAQSkZJRg==', /Base64/],
  ['hello\n', /text/],
  ['%PDF-1.7\n', /PDF/],
  ['\x1f\x8b\x08\0\0\0\0\0', /gzip/],
  ['PK\x03\x04', /ZIP/],
  ['\0\0\0\x18ftypheic\0\0\0\0mif1heic', /HEVC/],
  ['\0\0\0\x18ftypmif1\0\0\0\0mif1heic', /HEVC/],
  ['\0\0\0\x1cftypmsf1\0\0\0\0msf1hevciso8', /HEVC/],
  ['\0\0\0\x18ftypmp42\0\0\0\0mp42isom', /MP4/],
  ['\0\0\0\x14ftypqt  \0\0\0\0qt  ', /QuickTime/],
  ['\0\0\0\x18ftypcrx \0\0\0\x01crx isom', /camera raw/],
  ['\0\0\0\x0cjP  \r\n\x87\n', /JPEG 2000/],
  ['\xff\x4f\xff\x51', /JPEG 2000/],
  ['\0\0\0\x0cJXL \r\n\x87\n', /JPEG XL/],
  ['\xff\x0a\0', /JPEG XL/],
  ['8BPS\0\x01', /Photoshop/],
  ['\0\0\x01\0\x01\0\x10\x10', /icon/],
  [`\0\0\x02${'\0'.repeat(9)}\x10\0\x10\0\x18\0${'\0'.repeat(40)}`, /Targa/],
  ['P6\n2 2\n255\n\x01\x02', /Netpbm/],
  ['P3 2 2 255 0 0 0', /Netpbm/],
  ['v/1\x01\x02\0\0\0', /OpenEXR/],
  ['#?RADIANCE\n', /Radiance/],
  ['II\x2a\0\x10\0\0\0CR\x02\0', /camera raw/],
  ['IIRO\x08\0\0\0', /camera raw/],
  ['FUJIFILMCCD-RAW 0201', /camera raw/],
  [makeTiff({ more: [[50706, 4, [1]]] }), /camera raw/],
  [
    makeTiff({
      more: [
        [254, 4, [1]],
        [330, 4, [8, 8]],
      ],
    }),
    /camera raw/,
  ],
  [makeTiff({ photometric: 32803, pixel: [1] }), /camera raw/],
  [Buffer.alloc(100), /zero bytes/],
  ['\x1a\x45\xdf\xa3\x01', /Matroska/],
  ['RIFF\x24\0\0\0AVI LIST', /AVI/],
  ['RIFF\x24\0\0\0WAVEfmt ', /WAVE/],
  ['BMnot a bitmap at all\0', /BMP/],
  ['\0\x05\x16\x07\0\x02\0\0Mac OS X', /resource fork/],
];

test('what is not read is named, and the remedy with it', () => {
  for (const [file, name] of OTHERS) {
    const format = identifyImage(typeof file === 'string' ? bytes(file) : file);
    assert.ok(typeof format !== 'string', `${name} was taken for ${format}`);
    assert.match(format.name, name);
    assert.match(format.hint, /^[A-Z].*\.$/);
  }
});

test('any bytes are given a name', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (file) => nameOf(file) !== ''));
  const starts = fc.constantFrom(...OTHERS.map(([file]) => (typeof file === 'string' ? bytes(file) : file)));
  fc.assert(
    fc.property(starts, fc.nat(60), fc.uint8Array({ maxLength: 60 }), (start, length, rest) => {
      return nameOf(Buffer.concat([start.subarray(0, length), rest])) !== '';
    }),
  );
});

test.run();
