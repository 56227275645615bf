import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import { toFloat32 } from '../../../src/model/weights/dtype.js';
import {
  parseSafetensors,
  readSafetensors,
  serializeSafetensors,
  type Tensor,
  writeSafetensors,
} from '../../../src/model/weights/safetensors.js';

const test = suite('safetensors');

const shape = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 });
const tensor: fc.Arbitrary<Tensor> = shape.chain((sides) => {
  const length = sides.reduce((a, b) => a * b, 1);
  const of = { minLength: length, maxLength: length };
  return fc.oneof(
    fc.float32Array({ ...of, noNaN: true }).map(
      (data): Tensor => ({
        dtype: 'F32',
        shape: sides,
        data: Float32Array.from(data),
      }),
    ),
    fc.float64Array({ ...of, noNaN: true }).map(
      (data): Tensor => ({
        dtype: 'F64',
        shape: sides,
        data: Float64Array.from(data),
      }),
    ),
    fc.int32Array(of).map(
      (data): Tensor => ({
        dtype: 'I32',
        shape: sides,
        data: Int32Array.from(data),
      }),
    ),
    fc.bigInt64Array(of).map(
      (data): Tensor => ({
        dtype: 'I64',
        shape: sides,
        data: BigInt64Array.from(data),
      }),
    ),
    fc.uint8Array(of).map(
      (data): Tensor => ({
        dtype: 'U8',
        shape: sides,
        data: Uint8Array.from(data),
      }),
    ),
  );
});
const name = fc.string().filter((text) => text !== '__metadata__');
// zod leaves a key of this name out of what it checks.
const key = fc.string().filter((text) => text !== '__proto__' && text !== 'content_sha256');
const file = fc.record({
  tensors: fc.array(fc.tuple(name, tensor), { maxLength: 6 }).map((entries) => new Map(entries)),
  metadata: fc.dictionary(key, fc.string(), { noNullPrototype: true }),
});

/** A file with this header as it is, and `bytes` of data. */
function craft(header: unknown, bytes: number): Uint8Array {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, Buffer.alloc(bytes)]);
}

const entry = (begin: number, end: number, rest: object = {}) => ({
  dtype: 'F32',
  shape: [(end - begin) / 4],
  data_offsets: [begin, end],
  ...rest,
});

test('what is written is read again, whatever it is', () => {
  fc.assert(
    fc.property(file, ({ tensors, metadata }) => {
      const read = parseSafetensors(serializeSafetensors(tensors, metadata), 'file');
      assert.equal(new Map([...read.tensors].sort()), new Map([...tensors].sort()));
      assert.equal(read.metadata, metadata);
    }),
    { numRuns: 200 },
  );
});

test('tensors are aligned to their items and leave no holes', () => {
  fc.assert(
    fc.property(file, ({ tensors, metadata }) => {
      const bytes = Buffer.from(serializeSafetensors(tensors, metadata));
      const start = 8 + Number(bytes.readBigUInt64LE());
      assert.is(start % 8, 0);
      const { __metadata__, ...entries } = JSON.parse(bytes.toString('utf8', 8, start));
      const total = [...tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
      assert.is(bytes.length, start + total);
      for (const [key, { data_offsets }] of Object.entries<{
        data_offsets: number[];
      }>(entries)) {
        assert.is(data_offsets[0] % (tensors.get(key)?.data.BYTES_PER_ELEMENT ?? Number.NaN), 0);
      }
    }),
    { numRuns: 100 },
  );
});

test('a file cut anywhere is a UserError, never garbage', () => {
  const tensors = new Map([['a', { shape: [2, 3], data: new Float32Array(6).fill(1) }]]);
  const whole = serializeSafetensors(tensors, { key: 'value' });
  for (let length = 0; length < whole.length; length++) {
    assert.throws(
      () => parseSafetensors(whole.subarray(0, length), 'file'),
      (error: unknown) => error instanceof UserError,
    );
  }
});

test('one changed bit anywhere is found: in a value, a name, a shape or the metadata', () => {
  const tensors = new Map([
    ['ab', { shape: [2, 3], data: new Float32Array(6).fill(1) }],
    ['cd', { shape: [3, 2], data: new Float32Array(6).fill(2) }],
  ]);
  const whole = serializeSafetensors(tensors, { epoch: '3' });
  const content = parseSafetensors(whole, 'file');
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const flipped = Uint8Array.from(whole);
    flipped[bit >> 3] ^= 1 << (bit & 7);
    // In the padding, or in the checksum's own name, a bit may change nothing that is said.
    try {
      const { tensors: read, metadata } = parseSafetensors(flipped, 'file');
      assert.equal([read, metadata.epoch], [content.tensors, '3'], `bit ${bit}`);
    } catch (error) {
      assert.ok(error instanceof UserError && error.message.startsWith('file'), `bit ${bit}: ${error}`);
    }
  }
});

test('a damaged value is named with its file and the remedy; a file of others has no checksum and is read', () => {
  const whole = serializeSafetensors(new Map([['a', { shape: [2], data: Float32Array.of(1, 2) }]]), {});
  whole[whole.length - 1] ^= 1;
  assert.throws(
    () => parseSafetensors(whole, 'best.safetensors'),
    /best\.safetensors: expected the original content.*damaged: restore/,
  );
  const foreign = craft({ __metadata__: { format: 'pt' }, a: entry(0, 8) }, 8);
  assert.equal(parseSafetensors(foreign, 'file').metadata, { format: 'pt' });
});

test('a checksum stays true when another program writes the same content in another layout', () => {
  const tensors = new Map([
    ['a', { shape: [1], data: Float32Array.of(1) }],
    ['b', { shape: [1], data: Float32Array.of(2) }],
  ]);
  const { __metadata__ } = JSON.parse(
    `${Buffer.from(serializeSafetensors(tensors, {})).toString('utf8', 8).split('}}')[0]}}}`,
  );
  const header = craft({ b: entry(0, 4), a: entry(4, 8), __metadata__ }, 0);
  const values = Buffer.from(Float32Array.of(2, 1).buffer);
  const { tensors: read } = parseSafetensors(Buffer.concat([header, values]), 'file');
  assert.equal(
    new Map([...read].map(([name, { data }]) => [name, data[0]])),
    new Map([
      ['b', 2],
      ['a', 1],
    ]),
  );
});

const damaged: [what: string, bytes: Uint8Array, message: RegExp][] = [
  ['an absurd header length', Buffer.from('ffffffffffffff7f7b7d', 'hex'), /a length of at most/],
  ['a header that is no JSON', craft('{"a":', 0), /UTF-8 JSON/],
  ['a header that is no object', craft('[]', 0), /a JSON object/],
  ['overlapping tensors', craft({ a: entry(0, 8), b: entry(4, 12) }, 12), /b\.data_offsets: expected bytes of its own/],
  ['a tensor beyond the data', craft({ a: entry(0, 8) }, 4), /a\.data_offsets.*truncated/],
  [
    'a hole between tensors',
    craft({ a: entry(0, 4), b: entry(8, 12) }, 12),
    /b\.data_offsets: expected a start at byte 4/,
  ],
  ['data after the last tensor', craft({ a: entry(0, 4) }, 8), /up to the last of 8 bytes/],
  [
    'a tensor named twice',
    craft(
      '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
      8,
    ),
    /names a tensor twice/,
  ],
  ['a shape of other length', craft({ a: entry(0, 8, { shape: [3] }) }, 8), /12 bytes for shape \[3\]/],
  ['a negative side', craft({ a: entry(0, 4, { shape: [-1, -1] }) }, 4), /a\.shape\.0/],
  ['an unknown type', craft({ a: entry(0, 4, { dtype: 'C64' }) }, 4), /a\.dtype: expected one of/],
  ['an inherited word as type', craft({ a: entry(0, 4, { dtype: 'toString' }) }, 4), /a\.dtype/],
  ['metadata that is no text', craft({ __metadata__: { epoch: 3 } }, 0), /__metadata__\.epoch/],
];

for (const [what, bytes, message] of damaged) {
  test(`${what} is a UserError`, () => {
    assert.throws(
      () => parseSafetensors(bytes, 'file'),
      (error: unknown) => error instanceof UserError && message.test(error.message),
    );
  });
}

test('half floats are read as floats', () => {
  const bytesOf = (bits: number[]) => new Uint8Array(Uint16Array.from(bits).buffer);
  const halves = [0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400, 0x3555, 0x7c00, 0xfc00, 0x8000];
  const expected = [1, -2, 65504, 2 ** -24, 2 ** -14, 0.333251953125, Infinity, -Infinity, -0];
  assert.equal([...toFloat32('F16', bytesOf(halves))], expected);
  assert.ok(Number.isNaN(toFloat32('F16', bytesOf([0x7e00]))[0]));
  assert.equal([...toFloat32('BF16', bytesOf([0x3f80, 0xc2f7, 0x7f80]))], [1, -123.5, Infinity]);
  const bytes = craft({ a: { dtype: 'BF16', shape: [1], data_offsets: [0, 2] } }, 0);
  const { tensors } = parseSafetensors(Buffer.concat([bytes, Buffer.from('803f', 'hex')]), 'file');
  assert.equal(tensors.get('a'), { dtype: 'F32', shape: [1], data: Float32Array.of(1) });
});

test('files are written to disk and read back; a missing one is a UserError', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'safetensors-'));
  try {
    const path = join(dir, 'a.safetensors');
    await writeSafetensors(path, new Map([['x', { shape: [], data: Float64Array.of(7) }]]), { epoch: '3' });
    const { tensors, metadata } = await readSafetensors(path);
    assert.equal([tensors.get('x'), metadata], [{ dtype: 'F64', shape: [], data: Float64Array.of(7) }, { epoch: '3' }]);
    await writeFile(path, (await readFile(path)).subarray(0, 20));
    for (const bad of [path, join(dir, 'none')]) {
      const error = await readSafetensors(bad).catch((thrown: unknown) => thrown);
      assert.ok(error instanceof UserError && error.message.startsWith(bad));
    }
  } finally {
    await rm(dir, { recursive: true });
  }
});

test.run();
