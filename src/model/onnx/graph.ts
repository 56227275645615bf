import { elements } from '../weights/weights.js';
import { ATTRIBUTE_TYPE, DATA_TYPE, type OnnxAttribute, type OnnxNode, type OnnxTensor } from './schema.js';

/** A value of an attribute: an integer, a list of integers, or text. */
type AttributeValue = number | readonly number[] | string;

/** Collects the nodes and constants of a graph. Values are referred to by name. */
export class GraphBuilder {
  readonly nodes: OnnxNode[] = [];
  readonly constants: OnnxTensor[] = [];

  /** Adds an operator called `name`; returns the names of its outputs. */
  node(
    opType: string,
    name: string,
    input: string[],
    attributes: Record<string, AttributeValue> = {},
    outputs = 1,
  ): string[] {
    const output = Array.from({ length: outputs }, (_, i) => (outputs === 1 ? name : `${name}.${i}`));
    this.nodes.push({ name, opType, input, output, attribute: Object.entries(attributes).map(toAttribute) });
    return output;
  }

  /** Adds an operator with one output; returns its name. */
  op(opType: string, name: string, input: string[], attributes: Record<string, AttributeValue> = {}): string {
    return this.node(opType, name, input, attributes)[0];
  }

  floats(name: string, dims: number[], data: Float32Array): string {
    if (elements(dims) !== data.length) throw new RangeError(`${name}: shape [${dims}] has not ${data.length} values`);
    return this.#constant({ name, dims, dataType: DATA_TYPE.float, rawData: bytesOf(data) });
  }

  /** A vector of int64. */
  integers(name: string, values: readonly number[]): string {
    const data = BigInt64Array.from(values, BigInt);
    return this.#constant({ name, dims: [values.length], dataType: DATA_TYPE.int64, rawData: bytesOf(data) });
  }

  #constant(tensor: OnnxTensor): string {
    if (!this.constants.some(({ name }) => name === tensor.name)) this.constants.push(tensor);
    return tensor.name;
  }
}

export const bytesOf = (data: Float32Array | BigInt64Array) =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

function toAttribute([name, value]: [string, AttributeValue]): OnnxAttribute {
  if (typeof value === 'number') return { name, type: ATTRIBUTE_TYPE.int, i: value };
  if (typeof value === 'string') return { name, type: ATTRIBUTE_TYPE.string, s: new TextEncoder().encode(value) };
  return { name, type: ATTRIBUTE_TYPE.ints, ints: [...value] };
}
