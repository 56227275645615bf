import { splitFocus } from '../../../src/model/onnx/focus.js';
import {
  ATTRIBUTE_TYPE,
  DATA_TYPE,
  type OnnxAttribute,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
} from '../../../src/model/onnx/schema.js';

export const STEM = 'backbone.backbone.stem.conv';
export const DARK2 = 'backbone.backbone.dark2.0';
export const SPP = 'backbone.backbone.dark5.1';

/** Changes to graphs, as exporters, optimisers and people make them. */

export const integer = (name: string, i: number): OnnxAttribute => ({ name, type: ATTRIBUTE_TYPE.int, i });
export const integers = (name: string, ints: number[]): OnnxAttribute => ({ name, type: ATTRIBUTE_TYPE.ints, ints });
export const float = (name: string, f: number): OnnxAttribute => ({ name, type: 1, f });
export const text = (name: string, s: string): OnnxAttribute => ({
  name,
  type: ATTRIBUTE_TYPE.string,
  s: new TextEncoder().encode(s),
});

export const floats = (name: string, dims: number[], values: Iterable<number>): OnnxTensor => ({
  name,
  dims,
  dataType: DATA_TYPE.float,
  floatData: [...values],
});
export const longs = (name: string, values: number[]): OnnxTensor => ({
  name,
  dims: [values.length],
  dataType: DATA_TYPE.int64,
  int64Data: values,
});

export const valuesOf = ({ rawData }: OnnxTensor): Float32Array =>
  new Float32Array(Uint8Array.from(rawData ?? []).buffer);

export function nodeOf({ graph }: OnnxModel, name: string): OnnxNode {
  const found = graph.node.find((node) => node.name === name);
  if (found === undefined) throw new RangeError(`no node ${name}`);
  return found;
}

export function tensorOf({ graph }: OnnxModel, name: string): OnnxTensor {
  const found = graph.initializer.find((tensor) => tensor.name === name);
  if (found === undefined) throw new RangeError(`no tensor ${name}`);
  return found;
}

/** Sets an attribute of a node. */
export function setAttribute(model: OnnxModel, name: string, attribute: OnnxAttribute): void {
  const node = nodeOf(model, name);
  node.attribute = [...node.attribute.filter((one) => one.name !== attribute.name), attribute];
}

/** Puts a node in front of the given one, at its input. */
export function insertBefore(
  model: OnnxModel,
  name: string,
  input: number,
  opType: string,
  rest: Partial<OnnxNode> = {},
): void {
  const node = nodeOf(model, name);
  const { input: more = [], ...others } = rest;
  const inserted = { name: `${name}.${opType}`, opType, output: [`${name}.${input}.${opType}`], attribute: [] };
  model.graph.node.splice(model.graph.node.indexOf(node), 0, {
    ...inserted,
    input: [node.input[input], ...more],
    ...others,
  });
  node.input[input] = inserted.output[0];
}

/** Replaces every SiLU, a Mul and the Sigmoid before it, by a node of its input. */
export function replaceSilu(model: OnnxModel, opType: string, rest: Partial<OnnxNode> = {}, only?: string): void {
  for (const node of model.graph.node.filter(({ name }) => name?.endsWith('.silu') && (!only || name === only))) {
    Object.assign(node, { opType, input: node.input.slice(0, 1), ...rest });
  }
  const used = new Set(model.graph.node.flatMap(({ input }) => input));
  const isLeft = ({ name, output }: OnnxNode) => name?.endsWith('.sigmoid') && !used.has(output[0]);
  model.graph.node = model.graph.node.filter((node) => !isLeft(node));
}

export const addTensor = (model: OnnxModel, tensor: OnnxTensor): number => model.graph.initializer.push(tensor);

/** The stem as Megvii exports it: slices of the image, or another node, and a 3×3 convolution. */
export function unmerge(model: OnnxModel, patches: number[], cut: (model: OnnxModel) => void): void {
  const merged = tensorOf(model, `${STEM}.conv.weight`);
  const { shape, data } = splitFocus({ shape: merged.dims, data: valuesOf(merged) });
  const filter = 27;
  const ordered = Array.from({ length: shape[0] }, (_, out) =>
    patches.flatMap((patch) => [...data.subarray((out * 4 + patch) * filter, (out * 4 + patch + 1) * filter)]),
  );
  Object.assign(merged, { dims: shape, rawData: undefined, floatData: ordered.flat() });
  const conv = nodeOf(model, `${STEM}.conv`);
  conv.input[0] = 'focus';
  conv.attribute = [integers('pads', [1, 1, 1, 1])];
  cut(model);
}

/** Four patches by Slice nodes, (row, column) each, one node an axis or one for both, given as inputs or attributes. */
export function slices(model: OnnxModel, patches: [number, number][], together: boolean, end = 2 ** 31 - 1): void {
  const cut = (name: string, input: string, axes: number[], starts: number[]) => {
    const values = { starts, ends: starts.map(() => end), axes, steps: starts.map(() => 2) };
    const inputs = Object.entries(values).map(([key, list]) => {
      addTensor(model, longs(`${name}.${key}`, list));
      return `${name}.${key}`;
    });
    const node = { name, opType: 'Slice', input: [input, ...inputs], output: [name], attribute: [] };
    model.graph.node.unshift(node);
    return name;
  };
  const outputs = patches.map(([row, column], i) => {
    if (together) return cut(`patch${i}`, 'images', [2, 3], [row, column]);
    return cut(`patch${i}`, cut(`rows${i}`, 'images', [2], [row]), [-1], [column]);
  });
  const attribute = [integer('axis', 1)];
  model.graph.node.unshift({ name: 'focus', opType: 'Concat', input: outputs, output: ['focus'], attribute });
}

/** Row and column of the patches in the order of YOLOX. */
export const MEGVII: [number, number][] = [
  [0, 0],
  [1, 0],
  [0, 1],
  [1, 1],
];

/** A batch norm behind a convolution that undoes itself, with this ε. */
export function addBatchNorm(model: OnnxModel, layer: string, epsilon: number): void {
  const weight = tensorOf(model, `${layer}.conv.weight`);
  const channels = weight.dims[0];
  const [gamma, mean, variance] = [1.5, 0.25, 4];
  const scale = gamma / Math.sqrt(variance + epsilon);
  const bias = valuesOf(tensorOf(model, `${layer}.conv.bias`));
  Object.assign(weight, { rawData: undefined, floatData: [...valuesOf(weight)].map((value) => value / scale) });
  const vectors = [gamma, undefined, mean, variance].map((value, i) => {
    const values = Array.from(bias, (one) => value ?? one + mean * scale);
    addTensor(model, floats(`${layer}.bn${i}`, [channels], values));
    return `${layer}.bn${i}`;
  });
  const conv = nodeOf(model, `${layer}.conv`);
  conv.input.length = 2;
  const users = model.graph.node.filter(({ input }) => input.includes(`${layer}.conv`));
  for (const user of users) user.input = user.input.map((name) => (name === `${layer}.conv` ? `${layer}.bn` : name));
  model.graph.node.push({
    name: `${layer}.bn`,
    opType: 'BatchNormalization',
    input: [`${layer}.conv`, ...vectors],
    output: [`${layer}.bn`],
    attribute: epsilon === 1e-5 ? [] : [float('epsilon', epsilon)],
  });
}

/** Layers that end in SiLU. */
export const layersOf = (model: OnnxModel): string[] =>
  model.graph.node.flatMap(({ name }) => (name?.endsWith('.silu') ? [name.slice(0, -'.silu'.length)] : []));
