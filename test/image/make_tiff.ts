/** Bytes of a value of these types: SHORT, LONG, LONG8. */
const BYTES: Record<number, number> = { 2: 1, 3: 2, 4: 4, 16: 8 };

export interface TiffOptions {
  width?: number;
  height?: number;
  /** The samples that every pixel has. */
  pixel?: readonly number[];
  bits?: 8 | 16 | 32;
  /** 1 unsigned, 2 signed, 3 floating point. */
  format?: number;
  /** 1 grey, 2 RGB, 5 CMYK. */
  photometric?: number;
  /** What the samples beyond the colours mean. */
  extra?: readonly number[];
  big?: boolean;
  /** Further tags, or others in place of these: number, type, values. */
  more?: readonly (readonly [tag: number, type: number, values: readonly number[]])[];
  /** Directories, each with the same pixels. */
  pages?: number;
  /** Whether the tags are in the order the format wants. */
  sorted?: boolean;
}

/** A little-endian TIFF or BigTIFF of one colour. */
export function makeTiff({
  width = 8,
  height = 8,
  pixel = [200, 100, 50],
  bits = 8,
  format = 1,
  photometric = 2,
  extra = [],
  big = false,
  more = [],
  pages = 1,
  sorted = true,
}: TiffOptions = {}): Buffer {
  const sample = Buffer.alloc((pixel.length * bits) / 8);
  for (const [i, value] of pixel.entries()) {
    if (format === 3) sample.writeFloatLE(value, 4 * i);
    else sample.writeUIntLE(value, (i * bits) / 8, bits / 8);
  }
  const pixels = Buffer.concat(Array<Buffer>(width * height).fill(sample));
  const head = big ? Buffer.from('II+\0\x08\0\0\0\0\0\0\0\0\0\0\0', 'latin1') : Buffer.from('II*\0\0\0\0\0', 'latin1');
  const long = big ? 16 : 4;
  const own: [number, number, readonly number[]][] = [
    [256, 3, [width]],
    [257, 3, [height]],
    [258, 3, pixel.map(() => bits)],
    [259, 3, [1]],
    [262, 3, [photometric]],
    [273, long, [head.length]],
    [277, 3, [pixel.length]],
    [278, 3, [height]],
    [279, long, [pixels.length]],
    [339, 3, pixel.map(() => format)],
    ...(extra.length > 0 ? [[338, 3, extra] as [number, number, readonly number[]]] : []),
  ];
  const given = new Set(more.map(([tag]) => tag));
  const tags = [...own.filter(([tag]) => !given.has(tag)), ...more];
  if (sorted) tags.sort(([a], [b]) => a - b);
  else tags.reverse();

  const pointer = big ? 8 : 4;
  let end = head.length + pixels.length;
  const parts: Buffer[] = [];
  const entries = tags.map(([tag, type, values]) => {
    const bytes = Buffer.alloc(Math.max(pointer, BYTES[type] * values.length));
    for (const [i, value] of values.entries()) {
      if (type === 16) bytes.writeBigUInt64LE(BigInt(value), 8 * i);
      else bytes.writeUIntLE(value, BYTES[type] * i, BYTES[type]);
    }
    const entry = Buffer.alloc(4 + pointer);
    entry.writeUInt16LE(tag, 0);
    entry.writeUInt16LE(type, 2);
    entry.writeUIntLE(values.length, 4, 4);
    if (bytes.length === pointer) return Buffer.concat([entry, bytes]);
    parts.push(bytes);
    end += bytes.length;
    return Buffer.concat([entry, offset(end - bytes.length, pointer)]);
  });
  const count = offset(tags.length, big ? 8 : 2);
  const size = count.length + Buffer.concat(entries).length + pointer;
  offset(end, pointer).copy(head, big ? 8 : 4);
  const directories = Array.from({ length: pages }, (_, i) =>
    Buffer.concat([count, ...entries, offset(i + 1 < pages ? end + size * (i + 1) : 0, pointer)]),
  );
  return Buffer.concat([head, pixels, ...parts, ...directories]);
}

function offset(value: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntLE(value, 0, Math.min(6, bytes));
  return buffer;
}
