import { isTiff, readDirectory, TIFF_TAG } from './tiff_header.js';

/** Formats we decode, with their names in messages. */
export const FORMATS = {
  jpeg: 'JPEG',
  png: 'PNG',
  webp: 'WebP',
  gif: 'GIF',
  tiff: 'TIFF',
  avif: 'AVIF',
  bmp: 'BMP',
} as const;

export type ImageFormat = keyof typeof FORMATS;

/** Description and remedy of a file that we do not decode. */
export interface Unread {
  /** With its article: `a PDF document`. */
  name: string;
  hint: string;
}

const CONVERT = 'Convert it to JPEG or PNG.';
const EXPORT = 'Export it as JPEG or PNG.';
const FRAMES = 'Extract its frames as JPEG or PNG.';
const UNPACK = 'Unpack it first.';
const GIVE_IMAGE = 'Give the image file itself.';
const DAMAGED = 'Copy or download it again.';

/** Portable bitmaps, grey maps, pixmaps, any map, float maps. */
const NETPBM = /^P([1-7][\s#]|[Ff]\s)/;

/** Bytes inspected for text and for the few signatures that lie deeper. */
const HEAD_BYTES = 4096;

/** Signatures (latin-1) of formats that we do not decode; the first match wins. */
const UNREAD: readonly (readonly [marks: readonly string[], name: string, hint: string, offset?: number])[] = [
  [['\0\0\0\x0cjP  ', '\xff\x4f\xff\x51'], 'a JPEG 2000 image', CONVERT],
  [['\0\0\0\x0cJXL ', '\xff\x0a'], 'a JPEG XL image', CONVERT],
  [['II\xbc\x01'], 'a JPEG XR image', CONVERT],
  [['8BPS', '8BPB'], 'a Photoshop document', EXPORT],
  [['gimp xcf'], 'a GIMP document', EXPORT],
  [['%PDF-'], 'a PDF document', 'Export its pages as JPEG or PNG.'],
  [['%!PS', '\xc5\xd0\xd3\xc6'], 'a PostScript document', EXPORT],
  [['AT&TFORM'], 'a DjVu document', 'Export its pages as JPEG or PNG.'],
  [['v/1\x01'], 'an OpenEXR image', CONVERT],
  [['#?RADIANCE', '#?RGBE'], 'a Radiance HDR image', CONVERT],
  [['qoif'], 'a QOI image', CONVERT],
  [['FLIF'], 'a FLIF image', CONVERT],
  [['DDS '], 'a DirectDraw surface', CONVERT],
  [['SIMPLE  ='], 'a FITS image', CONVERT],
  [['DICM'], 'a DICOM image', EXPORT, 128],
  [['\x59\xa6\x6a\x95'], 'a Sun raster image', CONVERT],
  [['\x01\xda\x00', '\x01\xda\x01'], 'an SGI image', CONVERT],
  [['\x97JB2'], 'a JBIG2 image', CONVERT],
  [['\x8aMNG', '\x8bJNG'], 'an MNG or JNG image', CONVERT],
  [['\x08\xf2\xa6\xb6', '\xb6\xa6\xf2\x08'], 'an image of libvips', CONVERT],
  [['icns'], 'an Apple icon', EXPORT],
  [['\xd7\xcd\xc6\x9a'], 'a Windows metafile', EXPORT],
  [['IIRO', 'IIRS', 'MMOR', 'IIU\0', 'FUJIFILMCCD-RAW', 'FOVb', '\0MRM'], 'a camera raw file', EXPORT],
  [['PK\x03\x04', 'PK\x05\x06'], 'a ZIP archive', UNPACK],
  [['\x1f\x8b'], 'a gzip archive', UNPACK],
  [['BZh'], 'a bzip2 archive', UNPACK],
  [['\xfd7zXZ\0'], 'an xz archive', UNPACK],
  [['7z\xbc\xaf\x27\x1c'], 'a 7-Zip archive', UNPACK],
  [['Rar!\x1a\x07'], 'a RAR archive', UNPACK],
  [['\x28\xb5\x2f\xfd'], 'a Zstandard archive', UNPACK],
  [['ustar'], 'a tar archive', UNPACK, 257],
  [['\x1a\x45\xdf\xa3'], 'a Matroska or WebM video', FRAMES],
  [['\0\0\x01\xba', '\0\0\x01\xb3'], 'an MPEG video', FRAMES],
  [['FLV\x01'], 'a Flash video', FRAMES],
  [['OggS'], 'an Ogg file', FRAMES],
  [['\x89HDF'], 'an HDF5 file', EXPORT],
  [['\x93NUMPY'], 'a NumPy array', EXPORT],
  [['SQLite format 3'], 'an SQLite database', GIVE_IMAGE],
  [['\x7fELF', 'MZ'], 'a program', GIVE_IMAGE],
  [['\0\x05\x16\x07'], 'a resource fork of macOS (a ._ file)', GIVE_IMAGE],
];

/** Brands of ISO base media files: ISO/IEC 23008-12 (HEIF), 14496-12, and those of cameras. */
const HEIC = /^(hei[cxms]|hev[cxms])$/;
const VIDEO = /^(isom|iso\d|mp4\d|M4V |M4A |avc1|dash|qt {2}|3g[p2].|MSNV|f4v )$/;

/** Sizes of the second bitmap header: OS/2 1 and 2, Windows 3 to 5. */
const BMP_HEADERS = new Set([12, 16, 40, 52, 56, 64, 108, 124]);

/**
 * Identifies a file by its first bytes alone: no library has parsed it yet, and its name does not count. A file
 * identified as an image may still be damaged.
 */
export function identifyImage(file: Uint8Array): ImageFormat | Unread {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (bytes.length === 0) return { name: 'an empty file', hint: DAMAGED };
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return 'jpeg';
  const head = bytes.toString('latin1', 0, HEAD_BYTES);
  if (head.startsWith('\x89PNG\r\n\x1a\n')) return 'png';
  if (/^GIF8[79]a/.test(head)) return 'gif';
  if (head.startsWith('RIFF')) return ofRiff(head.slice(8, 12));
  if (isTiff(bytes)) return ofTiff(bytes);
  if (head.startsWith('BM') && bytes.length >= 18 && BMP_HEADERS.has(bytes.readUInt32LE(14))) return 'bmp';
  if (head.startsWith('ftyp', 4)) return ofIsoMedia(bytes, head);
  const known = UNREAD.find(([marks, , , offset = 0]) => marks.some((mark) => head.startsWith(mark, offset)));
  if (known) return { name: known[1], hint: known[2] };
  return ofText(bytes, head) ?? ofBareHeader(bytes, head);
}

function ofRiff(kind: string): ImageFormat | Unread {
  if (kind === 'WEBP') return 'webp';
  return kind === 'AVI '
    ? { name: 'an AVI video', hint: FRAMES }
    : { name: `a RIFF file of kind ${kind.trim()}`, hint: CONVERT };
}

/** Camera raw files are TIFFs whose first page is a thumbnail or sensor data. */
function ofTiff(bytes: Buffer): ImageFormat | Unread {
  const raw = { name: 'a camera raw file', hint: 'Develop it and export it as JPEG or PNG.' };
  if (bytes.toString('latin1', 8, 10) === 'CR') return raw;
  const { values } = readDirectory(bytes) ?? {};
  const value = (tag: number) => values?.get(tag)?.[0];
  const thumbnail = (value(TIFF_TAG.newSubfileType) ?? 0) & 1 && values?.has(TIFF_TAG.subIfds);
  const sensor = [32803, 34892].includes(value(TIFF_TAG.photometric) ?? 0);
  return values?.has(TIFF_TAG.dngVersion) || thumbnail || sensor ? raw : 'tiff';
}

/** Identifies by brands and, if they are ambiguous, by the codecs of the items, because HEIF is a container. */
function ofIsoMedia(bytes: Buffer, head: string): ImageFormat | Unread {
  const end = Math.min(Math.max(bytes.readUInt32BE(0), 16), head.length);
  const major = head.slice(8, 12);
  const brands = [major, ...(head.slice(16, end).match(/.{4}/gs) ?? [])];
  const heic = { name: 'HEIC, that is HEIF coded with HEVC', hint: CONVERT };
  if (HEIC.test(major)) return heic;
  if (major === 'avif' || major === 'avis') return 'avif';
  if (major === 'crx ') return { name: 'a camera raw file', hint: 'Develop it and export it as JPEG or PNG.' };
  if (VIDEO.test(major)) return { name: 'an MP4 or QuickTime video', hint: FRAMES };
  if (head.includes('hvc1') || brands.some((brand) => HEIC.test(brand))) return heic;
  if (head.includes('av01') || brands.includes('avif')) return 'avif';
  return { name: `HEIF or another ISO media file, brand ${major.trim()}`, hint: CONVERT };
}

/** Identifies text and text-based formats. */
function ofText(bytes: Buffer, head: string): Unread | undefined {
  const encoding = head.startsWith('\xff\xfe') ? 'utf-16le' : head.startsWith('\xfe\xff') ? 'utf-16be' : 'latin1';
  const text = new TextDecoder(encoding)
    .decode(bytes.subarray(0, HEAD_BYTES))
    .replace(/^(\ufeff|\xef\xbb\xbf)/, '')
    .trimStart();
  if ([...text.slice(0, 512)].some(isControl)) return undefined;
  if (/^<(!doctype\s+html|html|head|body)/i.test(text)) {
    return { name: 'an HTML page', hint: 'A server may have answered with an error: download the image again.' };
  }
  if (text.startsWith('<')) {
    return /<(\w+:)?svg[\s/>]/i.test(text)
      ? { name: 'an SVG drawing', hint: EXPORT }
      : { name: 'an XML document', hint: GIVE_IMAGE };
  }
  if (text.startsWith('version https://git-lfs')) {
    return { name: 'a pointer of Git LFS', hint: 'Fetch the image with git lfs pull.' };
  }
  if (/^(data:image\/|\/9j\/|iVBORw0KGgo)/.test(text)) {
    return { name: 'an image in Base64', hint: 'Decode it to the bytes of the image.' };
  }
  if (NETPBM.test(text)) return { name: 'a Netpbm image', hint: CONVERT };
  if (/^[{[]/.test(text)) return { name: 'JSON', hint: GIVE_IMAGE };
  return text === '' ? { name: 'blank text', hint: DAMAGED } : { name: 'text', hint: GIVE_IMAGE };
}

/**
 * Characters that text does not contain: everything below space except tabs, line ends and escapes. Bytes above 7F are
 * letters in some encoding.
 */
const isControl = (letter: string): boolean => letter < ' ' && !'\t\n\f\r\x1b'.includes(letter);

/** Identifies formats without a signature by plausible header values. */
function ofBareHeader(bytes: Buffer, head: string): Unread {
  if (NETPBM.test(head)) return { name: 'a Netpbm image', hint: CONVERT };
  if (/^(BA|BM|CI|CP|IC|PT)/.test(head)) return { name: 'a bitmap of OS/2 or a damaged BMP', hint: CONVERT };
  if (!bytes.subarray(0, HEAD_BYTES).some((byte) => byte !== 0)) return { name: 'zero bytes only', hint: DAMAGED };
  const icon = bytes.length > 6 && [1, 2].includes(bytes.readUInt16LE(2)) && bytes.readUInt16LE(0) === 0;
  if (icon && bytes.readUInt16LE(4) > 0) return { name: 'an icon or a cursor of Windows', hint: EXPORT };
  if (head.includes('%PDF-')) return { name: 'a PDF document', hint: 'Export its pages as JPEG or PNG.' };
  if (bytes[0] === 10 && bytes[1] <= 5 && bytes[2] === 1) return { name: 'a PCX image', hint: CONVERT };
  const targa = bytes[1] <= 1 && [1, 2, 3, 9, 10, 11].includes(bytes[2]) && [8, 15, 16, 24, 32].includes(bytes[16]);
  if (targa || bytes.toString('latin1', bytes.length - 18).startsWith('TRUEVISION-XFILE')) {
    return { name: 'a Targa image', hint: CONVERT };
  }
  return { name: 'bytes of no known format', hint: CONVERT };
}
