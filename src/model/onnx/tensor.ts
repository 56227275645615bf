import { UserError } from '../../base/errors.js';
import { type Dtype, ITEM_BYTES, toFloat32 } from '../weights/dtype.js';
import { elements, type WeightTensor } from '../weights/weights.js';
import { DATA_TYPE, EXTERNAL, type OnnxTensor } from './schema.js';

/** Names of `TensorProto.DataType` by code. */
const TYPE_NAMES = [
  ...[
    'UNDEFINED',
    'FLOAT',
    'UINT8',
    'INT8',
    'UINT16',
    'INT16',
    'INT32',
    'INT64',
    'STRING',
    'BOOL',
    'FLOAT16',
    'DOUBLE',
  ],
  ...['UINT32', 'UINT64', 'COMPLEX64', 'COMPLEX128', 'BFLOAT16', 'FLOAT8E4M3FN', 'FLOAT8E4M3FNUZ', 'FLOAT8E5M2'],
  ...['FLOAT8E5M2FNUZ', 'UINT4', 'INT4', 'FLOAT4E2M1', 'FLOAT8E8M0'],
];

export const typeName = (code: number): string => TYPE_NAMES[code] ?? `data type ${code}`;

/** The fields for values outside `rawData`, by their names in onnx.proto. */
const FIELDS = {
  float_data: 'floatData',
  int32_data: 'int32Data',
  int64_data: 'int64Data',
  double_data: 'doubleData',
} as const;
type Field = keyof typeof FIELDS;

/** Types of weights, and the fields for their values outside `rawData`. */
const FLOATS: Readonly<Record<number, { dtype: Dtype; field: Field }>> = {
  [DATA_TYPE.float]: { dtype: 'F32', field: 'float_data' },
  [DATA_TYPE.double]: { dtype: 'F64', field: 'double_data' },
  [DATA_TYPE.float16]: { dtype: 'F16', field: 'int32_data' },
  [DATA_TYPE.bfloat16]: { dtype: 'BF16', field: 'int32_data' },
};

export const isFloatType = (code: number): boolean => Object.hasOwn(FLOATS, code);

/**
 * Reads the values of a floating-point tensor from whichever field contains them.
 * @throws UserError naming `where` for other tensors
 */
export function readFloats(tensor: OnnxTensor, where: string): WeightTensor {
  const { name, dims: shape, dataType, rawData } = tensor;
  const fail = (expected: string, received: unknown, hint?: string) =>
    new UserError({ where, field: `tensor ${name}`, expected, received, hint });
  const stored = FLOATS[dataType];
  if (stored === undefined) {
    throw fail(
      'floating-point values',
      typeName(dataType),
      'Quantised models cannot be read: give the original model.',
    );
  }
  assertInside(tensor, where);
  const { dtype, field } = stored;
  const length = elements(shape);
  if (rawData?.length === length * ITEM_BYTES[dtype]) return { shape, data: toFloat32(dtype, rawData) };
  const values = tensor[FIELDS[field]] ?? [];
  if (!rawData?.length && values.length === length) return { shape, data: fromField(dtype, values) };
  throw fail(`${length} values of ${typeName(dataType)} for shape [${shape}]`, describeStorage(tensor));
}

/** 16-bit floats are stored as bits, one per number. */
const fromField = (dtype: Dtype, values: readonly number[]): Float32Array =>
  dtype === 'F16' || dtype === 'BF16'
    ? toFloat32(dtype, new Uint8Array(Uint16Array.from(values).buffer))
    : Float32Array.from(values);

/**
 * Reads the values of an integer tensor.
 * @throws UserError for other tensors
 */
export function readIntegers(tensor: OnnxTensor, where: string): number[] {
  const { name, dims, dataType, rawData, int32Data, int64Data } = tensor;
  assertInside(tensor, where);
  const wide = dataType === DATA_TYPE.int64;
  if (!wide && dataType !== DATA_TYPE.int32) {
    throw new UserError({ where, field: `tensor ${name}`, expected: 'integers', received: typeName(dataType) });
  }
  const { buffer } = new Uint8Array(rawData ?? []);
  const values = rawData?.length
    ? [...(wide ? Array.from(new BigInt64Array(buffer), Number) : new Int32Array(buffer))]
    : ((wide ? int64Data : int32Data) ?? []);
  if (values.length === elements(dims)) return values;
  const expected = `${elements(dims)} values for shape [${dims}]`;
  throw new UserError({ where, field: `tensor ${name}`, expected, received: describeStorage(tensor) });
}

function assertInside({ name, dataLocation, segment }: OnnxTensor, where: string): void {
  const received = dataLocation === EXTERNAL ? 'a reference to another file' : segment ? 'a segment of a tensor' : '';
  if (received) throw new UserError({ where, field: `tensor ${name}`, expected: 'values inside the file', received });
}

/** Describes the storage of a tensor for messages: `12 bytes of raw_data`. */
function describeStorage(tensor: OnnxTensor): string {
  const raw = tensor.rawData?.length ? [`${tensor.rawData.length} bytes of raw_data`] : [];
  const typed = Object.entries(FIELDS).flatMap(([field, key]) => {
    const count = tensor[key]?.length ?? 0;
    return count > 0 ? [`${count} of ${field}`] : [];
  });
  return [...raw, ...typed].join(' and ') || 'none';
}
