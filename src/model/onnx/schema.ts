import protobuf from 'protobufjs';
import { messageOf, UserError } from '../../base/errors.js';

/** The part of the ONNX format that we read and write; names and field numbers as in onnx.proto. */
const SCHEMA = `
syntax = "proto2";
message Attribute {
  optional string name = 1;
  optional float f = 2;
  optional int64 i = 3;
  optional bytes s = 4;
  optional Tensor t = 5;
  optional Graph g = 6;
  repeated float floats = 7;
  repeated int64 ints = 8;
  repeated bytes strings = 9;
  repeated Tensor tensors = 10;
  repeated Graph graphs = 11;
  optional int32 type = 20;
  optional SparseTensor sparse_tensor = 22;
}
message Node {
  repeated string input = 1;
  repeated string output = 2;
  optional string name = 3;
  optional string op_type = 4;
  repeated Attribute attribute = 5;
  optional string domain = 7;
  optional string overload = 8;
}
message Tensor {
  repeated int64 dims = 1;
  optional int32 data_type = 2;
  optional Segment segment = 3;
  repeated float float_data = 4 [packed = true];
  repeated int32 int32_data = 5 [packed = true];
  repeated bytes string_data = 6;
  repeated int64 int64_data = 7 [packed = true];
  optional string name = 8;
  optional bytes raw_data = 9;
  repeated double double_data = 10 [packed = true];
  repeated uint64 uint64_data = 11 [packed = true];
  repeated Property external_data = 13;
  optional int32 data_location = 14;
}
message Segment { optional int64 begin = 1; optional int64 end = 2; }
message SparseTensor { optional Tensor values = 1; optional Tensor indices = 2; repeated int64 dims = 3; }
message Dimension { optional int64 dim_value = 1; optional string dim_param = 2; }
message Shape { repeated Dimension dim = 1; }
message TensorType { optional int32 elem_type = 1; optional Shape shape = 2; }
message ValueType { optional TensorType tensor_type = 1; }
message ValueInfo { optional string name = 1; optional ValueType type = 2; }
message Graph {
  repeated Node node = 1;
  optional string name = 2;
  repeated Tensor initializer = 5;
  repeated ValueInfo input = 11;
  repeated ValueInfo output = 12;
  repeated SparseTensor sparse_initializer = 15;
}
message OperatorSet { optional string domain = 1; optional int64 version = 2; }
message Property { optional string key = 1; optional string value = 2; }
message Model {
  optional int64 ir_version = 1;
  optional string producer_name = 2;
  optional Graph graph = 7;
  repeated OperatorSet opset_import = 8;
  repeated Property metadata_props = 14;
}`;

/** Codes of `AttributeProto.AttributeType`. */
export const ATTRIBUTE_TYPE = {
  int: 2,
  string: 3,
  tensor: 4,
  ints: 7,
} as const;

/** Codes of `TensorProto.DataType`. */
export const DATA_TYPE = {
  float: 1,
  uint8: 2,
  int32: 6,
  int64: 7,
  float16: 10,
  double: 11,
  bfloat16: 16,
} as const;

/** `TensorProto.DataLocation` of external values. */
export const EXTERNAL = 1;

export interface OnnxTensor {
  name: string;
  dims: number[];
  dataType: number;
  /** Values are in exactly one of these fields, or external. */
  rawData?: Uint8Array;
  floatData?: number[];
  /** 32-bit integers, smaller integers, and 16-bit floats as bits, one per number. */
  int32Data?: number[];
  int64Data?: number[];
  doubleData?: number[];
  segment?: object;
  dataLocation?: number;
  /** For external values: `location`, `offset`, `length`. */
  externalData?: { key: string; value: string }[];
}

export interface OnnxAttribute {
  name: string;
  type: number;
  f?: number;
  i?: number;
  s?: Uint8Array;
  t?: OnnxTensor;
  g?: OnnxGraphProto;
  floats?: number[];
  ints?: number[];
}

export interface OnnxNode {
  name?: string;
  opType: string;
  /** Empty or absent for standard operators. */
  domain?: string;
  input: string[];
  output: string[];
  attribute: OnnxAttribute[];
}

export interface OnnxValue {
  name: string;
  type?: {
    tensorType?: {
      elemType: number;
      shape?: { dim: { dimValue?: number; dimParam?: string }[] };
    };
  };
}

export interface OnnxGraphProto {
  name: string;
  node: OnnxNode[];
  initializer: OnnxTensor[];
  input: OnnxValue[];
  output: OnnxValue[];
  sparseInitializer?: { values: OnnxTensor }[];
}

export interface OnnxModel {
  irVersion: number;
  producerName: string;
  opsetImport: { domain: string; version: number }[];
  graph: OnnxGraphProto;
  metadataProps: { key: string; value: string }[];
}

const modelType = protobuf.parse(SCHEMA).root.lookupType('Model');

export function encodeModel(model: OnnxModel): Uint8Array {
  return modelType.encode(modelType.fromObject(model)).finish();
}

/**
 * Encodes additional outputs to append to the bytes of a model. If a message occurs twice, Protocol Buffers concatenate
 * its lists, so the rest of the model stays unchanged.
 */
export function encodeOutputs(names: readonly string[]): Uint8Array {
  return modelType.encode(modelType.fromObject({ graph: { output: names.map((name) => ({ name })) } })).finish();
}

/**
 * Decodes a model; missing fields get their defaults.
 * @throws UserError naming `where` if `bytes` are not an ONNX model
 */
export function decodeModel(bytes: Uint8Array, where: string): OnnxModel {
  try {
    const model = modelType.toObject(modelType.decode(bytes), { longs: Number, arrays: true }) as Partial<OnnxModel>;
    if (!model.graph) throw new Error('no graph');
    return model as OnnxModel;
  } catch (error) {
    const hint = 'If it should be one, it is cut off or damaged: download or copy it again.';
    throw new UserError({ where, expected: 'an ONNX model', reason: messageOf(error), hint }, { cause: error });
  }
}
