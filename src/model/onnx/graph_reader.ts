import { UserError } from '../../base/errors.js';
import { DATA_TYPE, type OnnxAttribute, type OnnxModel, type OnnxNode, type OnnxTensor } from './schema.js';
import { isFloatType } from './tensor.js';

/** The graph of a model, read from its outputs towards its input. */
export class GraphReader {
  /** Name of the image's value. */
  readonly input: string;
  /** Its type by `DATA_TYPE`, and its dimensions; undefined if they are open. */
  readonly inputType: number | undefined;
  readonly inputShape: readonly (number | undefined)[];
  readonly outputs: readonly string[];
  readonly where: string;
  readonly #producers = new Map<string, OnnxNode>();
  readonly #constants: Map<string, OnnxTensor>;

  /** @throws UserError naming `where`, unless the graph has exactly one input */
  constructor({ graph }: OnnxModel, where: string) {
    this.where = where;
    this.#constants = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
    assertUnique([...graph.initializer.map(({ name }) => name), ...graph.node.flatMap(({ output }) => output)], where);
    for (const node of graph.node) for (const output of node.output) this.#producers.set(output, node);
    // Before version 4 of the format, constants are inputs as well.
    const inputs = graph.input.filter(({ name }) => !this.#constants.has(name));
    if (inputs.length !== 1) {
      const received = inputs.map(({ name }) => name).join(', ') || 'none';
      throw new UserError({ where, field: 'inputs', expected: 'one, the image', received });
    }
    const [{ name, type }] = inputs;
    this.input = name;
    this.inputType = type?.tensorType?.elemType;
    this.inputShape = type?.tensorType?.shape?.dim.map(({ dimValue }) => dimValue || undefined) ?? [];
    this.outputs = graph.output.map(({ name }) => name);
  }

  /**
   * Follows a value through Identity, Cast and Dropout to the value it equals at inference, apart from its
   * floating-point type.
   */
  trace(value: string): string {
    const seen = new Set<string>();
    let at = value;
    while (!seen.has(at)) {
      seen.add(at);
      const node = this.#producers.get(at);
      if (node === undefined || !isPassThrough(node, at)) return at;
      at = node.input[0];
    }
    throw new UserError({ where: this.where, field: `value ${value}`, expected: 'a graph without cycles' });
  }

  /** The node that computes a value; undefined for the input and for constants. */
  producer(value: string): OnnxNode | undefined {
    return this.#producers.get(this.trace(value));
  }

  /**
   * A constant from an initializer or a Constant node, also as a vector (Unsqueeze of a number); undefined for computed
   * values.
   */
  constant(value: string | undefined): OnnxTensor | undefined {
    if (!value) return undefined;
    const traced = this.trace(value);
    const node = this.#producers.get(traced);
    if (node === undefined) return this.#constants.get(traced);
    if (opName(node) === 'Unsqueeze') {
      const number = this.constant(node.input[0]);
      return number && number.dims.length === 0 ? { ...number, dims: [1] } : undefined;
    }
    return opName(node) === 'Constant' ? constantOf(node, traced) : undefined;
  }

  /** Nodes that compute a value, up to and including those for which `isEnd` returns true. */
  ancestors(values: readonly string[], isEnd: (node: OnnxNode) => boolean): Set<OnnxNode> {
    const found = new Set<OnnxNode>();
    const queue = values.map((value) => this.#producers.get(value));
    while (queue.length > 0) {
      const node = queue.pop();
      if (node === undefined || found.has(node)) continue;
      found.add(node);
      if (!isEnd(node)) queue.push(...node.input.map((value) => this.#producers.get(value)));
    }
    return found;
  }

  /** Describes the origin of a value for messages: `LeakyRelu /act/LeakyRelu`. */
  describe(value: string): string {
    const traced = this.trace(value);
    const node = this.#producers.get(traced);
    if (node) return describeNode(node);
    if (traced === this.input) return `the input ${traced}`;
    return this.#constants.has(traced) ? `the constant ${traced}` : 'nothing';
  }
}

function assertUnique(names: readonly string[], where: string): void {
  const seen = new Set<string>();
  for (const name of names) {
    // An unused output has no name.
    if (name === '') continue;
    if (seen.has(name)) {
      throw new UserError({ where, field: 'graph', expected: 'values of different names', received: `${name} twice` });
    }
    seen.add(name);
  }
}

/** The value of a Constant node, in whichever attribute it is stored; undefined for text and sparse tensors. */
function constantOf(node: OnnxNode, name: string): OnnxTensor | undefined {
  for (const { name: kind, t, i, f, ints, floats } of node.attribute) {
    if (kind === 'value' && t) return { ...t, name };
    if (kind === 'value_int') return { name, dims: [], dataType: DATA_TYPE.int64, int64Data: [i ?? 0] };
    if (kind === 'value_float') return { name, dims: [], dataType: DATA_TYPE.float, floatData: [f ?? 0] };
    if (kind === 'value_ints' && ints) return { name, dims: [ints.length], dataType: DATA_TYPE.int64, int64Data: ints };
    if (kind === 'value_floats' && floats) {
      return { name, dims: [floats.length], dataType: DATA_TYPE.float, floatData: floats };
    }
  }
  return undefined;
}

/** Whether the node's output `value` equals its first input at inference, apart from the floating-point type. */
function isPassThrough(node: OnnxNode, value: string): boolean {
  const name = opName(node);
  if (name === 'Identity' || (name === 'Dropout' && value === node.output[0] && !node.input[2])) return true;
  return name === 'Cast' && isFloatType(attributeOf(node, 'to')?.i ?? 0);
}

/** The operator: `Conv`, or with its domain, `com.microsoft.FusedConv`, if it is not a standard one. */
export const opName = ({ domain, opType }: OnnxNode): string =>
  domain && domain !== 'ai.onnx' ? `${domain}.${opType}` : opType;

/** Describes a node for messages. */
export const describeNode = (node: OnnxNode): string => `${opName(node)} ${node.name || node.output[0]}`;

export const attributeOf = (node: OnnxNode, name: string): OnnxAttribute | undefined =>
  node.attribute.find((attribute) => attribute.name === name);

export const integerOf = (node: OnnxNode, name: string, otherwise: number): number =>
  attributeOf(node, name)?.i ?? otherwise;

export const floatOf = (node: OnnxNode, name: string, otherwise: number): number =>
  attributeOf(node, name)?.f ?? otherwise;

export function textOf(node: OnnxNode, name: string, otherwise: string): string {
  const bytes = attributeOf(node, name)?.s;
  return bytes ? new TextDecoder().decode(bytes) : otherwise;
}

export function integersOf(node: OnnxNode, name: string, otherwise: number[]): number[] {
  const ints = attributeOf(node, name)?.ints;
  return ints?.length ? ints : otherwise;
}
