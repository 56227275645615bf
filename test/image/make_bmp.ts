/** 3×2 pixels: red, green, blue; white, black, grey. */
export const BMP_COLOURS: readonly (readonly number[])[] = [
  [255, 0, 0],
  [0, 255, 0],
  [0, 0, 255],
  [255, 255, 255],
  [0, 0, 0],
  [128, 128, 128],
];

const WIDTH = 3;

interface Header {
  /** Of the bitmap's own header. */
  bytes: number;
  bits: number;
  height?: number;
  compression?: number;
  colours?: number;
  /** Red, green, blue, alpha; they lie inside a header of Windows 4 or 5. */
  masks?: readonly number[];
}

function makeHeader({ bytes, bits, height = 2, compression = 0, colours = 0, masks = [] }: Header): Buffer {
  const header = Buffer.alloc(bytes);
  header.writeUInt32LE(bytes, 0);
  if (bytes === 12) {
    for (const [i, value] of [WIDTH, height, 1, bits].entries()) header.writeUInt16LE(value, 4 + 2 * i);
    return header;
  }
  header.writeInt32LE(WIDTH, 4);
  header.writeInt32LE(height, 8);
  header.writeUInt16LE(1, 12);
  header.writeUInt16LE(bits, 14);
  if (bytes >= 40) {
    header.writeUInt32LE(compression, 16);
    header.writeUInt32LE(colours, 32);
  }
  return bytes > 40 && masks.length > 0
    ? Buffer.concat([header.subarray(0, 40), words(masks), header.subarray(40 + 4 * masks.length)])
    : header;
}

function words(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) bytes.writeUInt32LE(value, 4 * i);
  return bytes;
}

function makeFile(header: Buffer, between: Buffer, pixels: Buffer): Buffer {
  const start = Buffer.alloc(14);
  start.write('BM');
  start.writeUInt32LE(14 + header.length + between.length + pixels.length, 2);
  start.writeUInt32LE(14 + header.length + between.length, 10);
  return Buffer.concat([start, header, between, pixels]);
}

/** Rows of four-byte multiples, bottom up unless said otherwise; `encode` gets the numbers of a row's pixels. */
function makeRows(encode: (pixels: number[]) => readonly number[], topDown = false): Buffer {
  const rows = [0, 1].map((y) => {
    const row = encode(Array.from({ length: WIDTH }, (_, x) => WIDTH * y + x));
    return Buffer.from([...row, ...Array((4 - (row.length % 4)) % 4).fill(0)]);
  });
  return Buffer.concat(topDown ? rows : rows.reverse());
}

const none = Buffer.alloc(0);
const bgr = (pixels: number[]) => pixels.flatMap((i) => BMP_COLOURS[i].toReversed());
const bgra = (alpha: number) => (pixels: number[]) => pixels.flatMap((i) => [...BMP_COLOURS[i].toReversed(), alpha]);
const word16 = (code: (colour: readonly number[]) => number) => (pixels: number[]) =>
  pixels.flatMap((i) => [code(BMP_COLOURS[i]) & 255, code(BMP_COLOURS[i]) >> 8]);
const rgb565 = word16(([r, g, b]) => ((r >> 3) << 11) | ((g >> 2) << 5) | (b >> 3));
const rgb555 = word16(([r, g, b]) => ((r >> 3) << 10) | ((g >> 3) << 5) | (b >> 3));
const index4 = ([a, b, c]: number[]) => [(a << 4) | b, c << 4];
const quads = Buffer.from(BMP_COLOURS.flatMap((colour) => [...colour.toReversed(), 0]));
const triples = (entries: number) =>
  Buffer.concat([Buffer.from(BMP_COLOURS.flatMap((colour) => colour.toReversed()))], 3 * entries);
const MASKS = [0xff0000, 0xff00, 0xff];
const ALPHA = 0xff000000;

/** The colours of {@link BMP_COLOURS} in each way bitmaps are written; 16 bits round the grey. */
export const BITMAPS: Record<string, Buffer> = {
  '24 bits': makeFile(makeHeader({ bytes: 40, bits: 24 }), none, makeRows(bgr)),
  'top-down': makeFile(makeHeader({ bytes: 40, bits: 24, height: -2 }), none, makeRows(bgr, true)),
  'OS/2 1, 24 bits': makeFile(makeHeader({ bytes: 12, bits: 24 }), none, makeRows(bgr)),
  'OS/2 1, 8 bits': makeFile(
    makeHeader({ bytes: 12, bits: 8 }),
    triples(256),
    makeRows((row) => row),
  ),
  'OS/2 1, 4 bits': makeFile(makeHeader({ bytes: 12, bits: 4 }), triples(16), makeRows(index4)),
  'OS/2 2': makeFile(makeHeader({ bytes: 64, bits: 24 }), none, makeRows(bgr)),
  'OS/2 2 cut short': makeFile(makeHeader({ bytes: 16, bits: 24 }), none, makeRows(bgr)),
  '8 bits': makeFile(
    makeHeader({ bytes: 40, bits: 8, colours: 6 }),
    quads,
    makeRows((row) => row),
  ),
  '4 bits': makeFile(makeHeader({ bytes: 40, bits: 4, colours: 6 }), quads, makeRows(index4)),
  'RLE of 8 bits': makeFile(
    makeHeader({ bytes: 40, bits: 8, compression: 1, colours: 6 }),
    quads,
    Buffer.from([0, 3, 3, 4, 5, 0, 0, 0, 1, 0, 1, 1, 1, 2, 0, 0, 0, 1]),
  ),
  'RLE of 4 bits': makeFile(
    makeHeader({ bytes: 40, bits: 4, compression: 2, colours: 6 }),
    quads,
    Buffer.from([0, 3, 0x34, 0x50, 0, 0, 0, 3, 0x01, 0x20, 0, 0, 0, 1]),
  ),
  '16 bits': makeFile(makeHeader({ bytes: 40, bits: 16 }), none, makeRows(rgb555)),
  '16 bits, masks': makeFile(
    makeHeader({ bytes: 40, bits: 16, compression: 3 }),
    words([0xf800, 0x7e0, 0x1f]),
    makeRows(rgb565),
  ),
  '32 bits': makeFile(makeHeader({ bytes: 40, bits: 32 }), none, makeRows(bgra(0))),
  '32 bits, masks': makeFile(makeHeader({ bytes: 40, bits: 32, compression: 3 }), words(MASKS), makeRows(bgra(7))),
  '32 bits, masks with alpha': makeFile(
    makeHeader({ bytes: 40, bits: 32, compression: 6 }),
    words([...MASKS, ALPHA]),
    makeRows(bgra(255)),
  ),
  'Windows 4, opaque': makeFile(
    makeHeader({ bytes: 108, bits: 32, compression: 3, masks: [...MASKS, ALPHA] }),
    none,
    makeRows(bgra(255)),
  ),
  'Windows 5, alpha never written': makeFile(
    makeHeader({ bytes: 124, bits: 32, compression: 3, masks: [...MASKS, ALPHA] }),
    none,
    makeRows(bgra(0)),
  ),
};

/** Half transparent, to be laid on white. */
export const TRANSPARENT_BMP = makeFile(
  makeHeader({ bytes: 124, bits: 32, compression: 3, masks: [...MASKS, ALPHA] }),
  none,
  makeRows(bgra(128)),
);

/** Of 1 bit: white, black, white; black, white, black. */
export const BITONAL_BMP = makeFile(
  makeHeader({ bytes: 40, bits: 1, colours: 2 }),
  Buffer.from([0, 0, 0, 0, 255, 255, 255, 0]),
  makeRows(([first]) => [first === 0 ? 0b10100000 : 0b01000000]),
);
