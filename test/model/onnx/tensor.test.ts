import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import { loadOnnx } from '../../../src/model/onnx/load.js';
import { DATA_TYPE, decodeModel, encodeModel, type OnnxTensor } from '../../../src/model/onnx/schema.js';
import { readFloats, readIntegers } from '../../../src/model/onnx/tensor.js';
import { DARK2, tensorOf, valuesOf } from './edit_graph.js';
import { changed, pico } from './pico.js';

const test = suite('ONNX tensors');

const bytes = (data: ArrayBufferView) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
const tensor = (dataType: number, rest: Partial<OnnxTensor>, dims = [3]): OnnxTensor => ({
  name: 't',
  dims,
  dataType,
  ...rest,
});

/** 1, −2.5 and 2⁻²⁴, or 2⁻¹³³ for bfloat16, in every type and field of the format. */
const STORED: [what: string, tensor: OnnxTensor, values?: number[]][] = [
  ['float in raw_data', tensor(DATA_TYPE.float, { rawData: bytes(Float32Array.of(1, -2.5, 2 ** -24)) })],
  ['float in float_data', tensor(DATA_TYPE.float, { floatData: [1, -2.5, 2 ** -24] })],
  ['double in raw_data', tensor(DATA_TYPE.double, { rawData: bytes(Float64Array.of(1, -2.5, 2 ** -24)) })],
  ['double in double_data', tensor(DATA_TYPE.double, { doubleData: [1, -2.5, 2 ** -24] })],
  ['float16 in raw_data', tensor(DATA_TYPE.float16, { rawData: bytes(Uint16Array.of(0x3c00, 0xc100, 1)) })],
  ['float16 in int32_data', tensor(DATA_TYPE.float16, { int32Data: [0x3c00, 0xc100, 1] })],
  [
    'bfloat16 in raw_data',
    tensor(DATA_TYPE.bfloat16, { rawData: bytes(Uint16Array.of(0x3f80, 0xc020, 1)) }),
    [1, -2.5, 2 ** -133],
  ],
  ['bfloat16 in int32_data', tensor(DATA_TYPE.bfloat16, { int32Data: [0x3f80, 0xc020, 1] }), [1, -2.5, 2 ** -133]],
];

for (const [what, stored, values = [1, -2.5, 2 ** -24]] of STORED) {
  test(`${what} is read, from a file too`, () => {
    const { graph } = decodeModel(encodeModel(changed((model) => model.graph.initializer.push(stored))), 'model');
    for (const one of [stored, graph.initializer.at(-1) as OnnxTensor]) {
      assert.equal([...readFloats(one, 'model').data], values);
    }
  });
}

test('bits of 16-bit floats mean the same in either field', () => {
  const bits = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(bits, fc.constantFrom(DATA_TYPE.float16, DATA_TYPE.bfloat16), (int32Data, type) => {
      const [a, b] = [{ int32Data }, { rawData: bytes(Uint16Array.from(int32Data)) }].map((stored) => {
        return readFloats(tensor(type, stored, [int32Data.length]), 'model').data;
      });
      // Bytes, as one not-a-number is not equal to another.
      assert.equal(bytes(a), bytes(b));
    }),
  );
});

test('integers are read from either field', () => {
  assert.equal(readIntegers(tensor(DATA_TYPE.int64, { int64Data: [1, -2, 3] }), 'model'), [1, -2, 3]);
  assert.equal(
    readIntegers(tensor(DATA_TYPE.int64, { rawData: bytes(BigInt64Array.of(1n, -2n, 3n)) }), 'model'),
    [1, -2, 3],
  );
  assert.equal(readIntegers(tensor(DATA_TYPE.int32, { int32Data: [1, -2, 3] }), 'model'), [1, -2, 3]);
  assert.equal(readIntegers(tensor(DATA_TYPE.int32, { rawData: bytes(Int32Array.of(1, -2, 3)) }), 'model'), [1, -2, 3]);
  assert.throws(
    () => readIntegers(tensor(DATA_TYPE.float, { floatData: [1, 2, 3] }), 'model'),
    /expected integers, received "FLOAT"/,
  );
});

const REFUSED: [what: string, tensor: OnnxTensor, message: RegExp][] = [
  ['int8 values', tensor(3, { int32Data: [1, 2, 3] }), /floating-point values, received "INT8"\. Quantised/],
  ['float8 values', tensor(17, { int32Data: [1, 2, 3] }), /received "FLOAT8E4M3FN"/],
  ['values of a type to come', tensor(99, {}), /received "data type 99"/],
  [
    'values in another file',
    tensor(DATA_TYPE.float, { dataLocation: 1 }),
    /inside the file, received "a reference to another file"/,
  ],
  ['a segment', tensor(DATA_TYPE.float, { segment: { begin: 0, end: 3 } }), /a segment of a tensor/],
  ['no values', tensor(DATA_TYPE.float, {}), /3 values of FLOAT for shape \[3\], received "none"/],
  ['too few bytes', tensor(DATA_TYPE.float, { rawData: new Uint8Array(7) }), /received "7 bytes of raw_data"/],
  [
    'values in the field of another type',
    tensor(DATA_TYPE.float16, { floatData: [1, 2, 3] }),
    /FLOAT16.*received "3 of float_data"/,
  ],
  [
    'values in two fields',
    tensor(DATA_TYPE.float, { rawData: new Uint8Array(4), floatData: [1, 2, 3] }),
    /4 bytes of raw_data and 3 of float_data/,
  ],
];

for (const [what, refused, message] of REFUSED) {
  test(`${what} are refused`, () => {
    assert.throws(
      () => readFloats(refused, 'model'),
      (error: unknown) => error instanceof UserError && message.test(error.message) && /tensor t/.test(error.message),
    );
  });
}

test('values in files beside the model are read; files that lack, end early or lie elsewhere are refused', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'onnx-'));
  try {
    const path = join(dir, 'model.onnx');
    const [weight, bias] = [`${DARK2}.conv.weight`, `${DARK2}.conv.bias`];
    const values = (name: string) => valuesOf(tensorOf(decodeModel(pico().bytes, 'model'), name));
    const load = (location: string, offset: number) => {
      const model = changed((one) => {
        for (const [name, start] of [
          [weight, offset],
          [bias, offset + values(weight).byteLength],
        ] as const) {
          const entries = { location, offset: String(start), length: String(values(name).byteLength) };
          const externalData = Object.entries(entries).map(([key, value]) => ({ key, value }));
          Object.assign(tensorOf(one, name), { rawData: undefined, dataLocation: 1, externalData });
        }
      });
      return loadOnnx(encodeModel(model), path);
    };
    await writeFile(
      join(dir, 'data.bin'),
      Buffer.concat([Buffer.alloc(16), bytes(values(weight)), bytes(values(bias))]),
    );
    const { weights } = await load('data.bin', 16);
    const inside = await loadOnnx(pico().bytes, path);
    assert.equal(weights, inside.weights);
    const refusal = (location: string, offset: number) =>
      load(location, offset).then(
        () => 'it was read',
        (error: Error) => (error instanceof UserError ? error.message : `no UserError: ${error}`),
      );
    assert.match(
      await refusal('data.bin', 17),
      /expected bytes .* of .*data\.bin, received "a file of .*keep them together/,
    );
    assert.match(await refusal('none.bin', 0), /expected a readable file .*none\.bin, received "ENOENT"/);
    for (const outside of ['../data.bin', '/etc/hostname', 'a/../../data.bin', '']) {
      assert.match(await refusal(outside, 0), /a file in the model's folder/);
    }
  } finally {
    await rm(dir, { recursive: true });
  }
});

test.run();
