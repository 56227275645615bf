import { z } from 'zod';
import { messageOf, UserError } from '../../base/errors.js';
import { readBytes, writeAtomic } from '../../base/files.js';
import { isRecord } from '../../base/record.js';
import { CHECKSUM_KEY, contentHash } from './checksum.js';
import { type Dtype, ITEM_BYTES, toFloat32 } from './dtype.js';

import { elements } from './weights.js';

interface ArrayOf {
  F64: Float64Array;
  F32: Float32Array;
  I64: BigInt64Array;
  I32: Int32Array;
  U8: Uint8Array;
}

/** A row-major tensor; `dtype` determines the type of `data`. 16-bit floats are read as F32. */
export type Tensor = { [D in keyof ArrayOf]: { dtype: D; shape: number[]; data: ArrayOf[D] } }[keyof ArrayOf];

export interface SafetensorsFile {
  tensors: Map<string, Tensor>;
  /** Without the checksum. */
  metadata: Record<string, string>;
}

/** Largest accepted header, as in the reference implementation (safetensors 0.4). */
const MAX_HEADER_BYTES = 100_000_000;

const HOLE = 'Bytes belong to no tensor: the header is damaged, or names a tensor twice.';

const size = z.int().min(0);
const entrySchema = z.strictObject({ dtype: z.string(), shape: z.array(size), data_offsets: z.tuple([size, size]) });
const metadataSchema = z.record(z.string(), z.string());
type Entry = z.infer<typeof entrySchema>;

/**
 * Reads a whole safetensors file and verifies the checksum if it is ours.
 * @throws UserError if it is damaged or contains a type not listed in `Tensor`
 */
export async function readSafetensors(path: string): Promise<SafetensorsFile> {
  return parseSafetensors(await readBytes(path), path);
}

/** `where` names the bytes in messages. */
export function parseSafetensors(file: Uint8Array, where: string): SafetensorsFile {
  const { header, start } = parseHeader(file, where);
  const { __metadata__: metadata = {}, ...rest } = header;
  const texts = check(metadataSchema, metadata, where, '__metadata__');
  const data = file.subarray(start);
  const entries = Object.entries(rest).map(([name, value]) => [name, check(entrySchema, value, where, name)] as const);
  checkLayout(entries, data.length, where);
  checkContent(entries, data, texts, where);
  const { [CHECKSUM_KEY]: _, ...said } = texts;
  const tensors = new Map<string, Tensor>();
  for (const [name, { dtype, shape, data_offsets }] of entries) {
    tensors.set(name, toTensor(dtype as Dtype, shape, data.subarray(...data_offsets)));
  }
  return { tensors, metadata: said };
}

function parseHeader(file: Uint8Array, where: string): { header: Record<string, unknown>; start: number } {
  const fail = (expected: string, received: unknown, cause?: unknown) =>
    new UserError(
      { where, field: 'header', expected, received, hint: 'The file is not safetensors, or damaged.' },
      { cause },
    );
  if (file.length < 8) throw fail('at least 8 bytes', `${file.length} bytes`);
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const limit = Math.min(MAX_HEADER_BYTES, file.length - 8);
  if (length > limit) throw fail(`a length of at most ${limit} bytes`, length);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(file.subarray(8, 8 + length)));
  } catch (error) {
    throw fail('UTF-8 JSON', messageOf(error), error);
  }
  if (!isRecord(header)) throw fail('a JSON object', header);
  return { header, start: 8 + length };
}

function check<T>(schema: z.ZodType<T>, value: unknown, where: string, name: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0];
  throw new UserError({ where, field: [name, ...path].join('.'), expected: 'a valid header entry', reason: message });
}

/** Compares the content with its checksum; files of other programs, without a checksum, pass. */
function checkContent(
  entries: readonly (readonly [string, Entry])[],
  data: Uint8Array,
  metadata: Record<string, string>,
  where: string,
): void {
  const expected = metadata[CHECKSUM_KEY];
  if (expected === undefined) return;
  const hashed = entries.map(([name, { dtype, shape, data_offsets }]) => {
    return [name, { dtype, shape, bytes: data.subarray(...data_offsets) }] as const;
  });
  const received = contentHash(hashed, metadata);
  if (received === expected) return;
  throw new UserError({
    where,
    expected: `the original content, sha256 ${expected}`,
    received: `sha256 ${received}`,
    hint: 'The file is damaged: restore a copy of it, or make it again.',
  });
}

/** Checks that tensors have exactly the bytes of their shapes and fill the data contiguously. */
function checkLayout(entries: readonly (readonly [string, Entry])[], bytes: number, where: string): void {
  // An empty tensor sorts before the one that starts at the same offset.
  const ordered = entries.toSorted(([, { data_offsets: a }], [, { data_offsets: b }]) => a[0] - b[0] || a[1] - b[1]);
  let previous: { name: string; end: number } = { name: '', end: 0 };
  for (const [name, { dtype, shape, data_offsets: offsets }] of ordered) {
    const fail = (field: string, expected: string, received: unknown, hint?: string) =>
      new UserError({ where, field: `${name}.${field}`, expected, received, hint });
    if (!Object.hasOwn(ITEM_BYTES, dtype)) throw fail('dtype', `one of ${Object.keys(ITEM_BYTES).join(', ')}`, dtype);
    const [begin, end] = offsets;
    const length = elements(shape) * ITEM_BYTES[dtype as Dtype];
    if (end - begin !== length) throw fail('data_offsets', `${length} bytes for shape [${shape}]`, offsets);
    if (end > bytes) throw fail('data_offsets', `an end within ${bytes} bytes of data`, end, 'The file is truncated.');
    if (begin < previous.end) throw fail('data_offsets', `bytes of its own, not those of "${previous.name}"`, offsets);
    // The format forbids holes, which hide unread data, such as the first of two tensors with one name.
    if (begin > previous.end) throw fail('data_offsets', `a start at byte ${previous.end}`, offsets, HOLE);
    previous = { name, end };
  }
  if (previous.end === bytes) return;
  const received = `${bytes} bytes of data`;
  throw new UserError({
    where,
    field: 'header',
    expected: `tensors up to the last of ${received}`,
    received: previous.end,
    hint: HOLE,
  });
}

function toTensor(dtype: Dtype, shape: number[], bytes: Uint8Array): Tensor {
  const { buffer } = new Uint8Array(bytes);
  switch (dtype) {
    case 'F64':
      return { dtype, shape, data: new Float64Array(buffer) };
    case 'I64':
      return { dtype, shape, data: new BigInt64Array(buffer) };
    case 'I32':
      return { dtype, shape, data: new Int32Array(buffer) };
    case 'U8':
      return { dtype, shape, data: new Uint8Array(buffer) };
    default:
      return { dtype: 'F32', shape, data: toFloat32(dtype, bytes) };
  }
}

/** A tensor to write; its dtype follows from the class of the array. */
export interface TensorData {
  shape: readonly number[];
  data: ArrayOf[keyof ArrayOf];
}

/**
 * Writes a safetensors file atomically, with a checksum of its content. Equal content gives equal bytes, because
 * tensors are ordered by item size and key.
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, TensorData>,
  metadata: Record<string, string> = {},
): Promise<void> {
  await writeAtomic(path, serializeSafetensors(tensors, metadata));
}

export function serializeSafetensors(
  tensors: ReadonlyMap<string, TensorData>,
  metadata: Record<string, string>,
): Uint8Array {
  // Writing wide items first aligns every tensor without holes, which the format forbids.
  const ordered = [...tensors].sort(
    ([a, { data: x }], [b, { data: y }]) => y.BYTES_PER_ELEMENT - x.BYTES_PER_ELEMENT || (a < b ? -1 : 1),
  );
  let end = 0;
  const entries: [string, Entry][] = ordered.map(([name, { shape, data }]) => {
    if (elements(shape) !== data.length)
      throw new RangeError(`${name}: shape [${shape}] has not ${data.length} values`);
    const begin = end;
    end += data.byteLength;
    return [name, { dtype: dtypeOf(data), shape: [...shape], data_offsets: [begin, end] }];
  });
  const hashed = ordered.map(([name, { shape, data }]) => {
    return [name, { dtype: dtypeOf(data), shape, bytes: bytesOf(data) }] as const;
  });
  const texts = { ...metadata, [CHECKSUM_KEY]: contentHash(hashed, metadata) };
  const sortedMetadata = Object.fromEntries(Object.entries(texts).sort(([a], [b]) => (a < b ? -1 : 1)));
  const json = new TextEncoder().encode(
    JSON.stringify({ __metadata__: sortedMetadata, ...Object.fromEntries(entries) }),
  );
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const file = new Uint8Array(8 + headerBytes + end).fill(0x20, 8, 8 + headerBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.set(json, 8);
  ordered.forEach(([, { data }], i) => {
    const [begin] = entries[i][1].data_offsets;
    file.set(bytesOf(data), 8 + headerBytes + begin);
  });
  return file;
}

const bytesOf = (data: TensorData['data']) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

function dtypeOf(data: TensorData['data']): keyof ArrayOf {
  if (data instanceof Float32Array) return 'F32';
  if (data instanceof Float64Array) return 'F64';
  if (data instanceof BigInt64Array) return 'I64';
  return data instanceof Int32Array ? 'I32' : 'U8';
}
