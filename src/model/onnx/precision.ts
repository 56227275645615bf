import { bytesOf } from './graph.js';
import { DATA_TYPE, type OnnxModel, type OnnxTensor } from './schema.js';
import { isFloatType, readFloats } from './tensor.js';

const isNarrow = (code: number | undefined): boolean =>
  code !== undefined && code !== DATA_TYPE.float && isFloatType(code);

/** Whether a model uses floating-point numbers other than 32-bit anywhere. */
export function mixesPrecision({ graph }: OnnxModel): boolean {
  const values = [...graph.input, ...graph.output].map(({ type }) => type?.tensorType?.elemType);
  const constants = graph.node.flatMap(({ attribute }) => attribute.flatMap(({ t }) => (t ? [t.dataType] : [])));
  const casts = graph.node.filter(({ opType }) => opType === 'Cast').map(({ attribute }) => attribute[0]?.i);
  return [...values, ...constants, ...casts, ...graph.initializer.map(({ dataType }) => dataType)].some(isNarrow);
}

/**
 * Converts a model to float32 throughout. This unifies mixed types, which onnxruntime refuses, and avoids 16-bit
 * rounding that would hide differences.
 */
export function inFloat32(model: OnnxModel, where: string): OnnxModel {
  const { graph } = model;
  const tensor = (one: OnnxTensor): OnnxTensor => {
    if (!isNarrow(one.dataType)) return one;
    const { shape, data } = readFloats(one, where);
    return { name: one.name, dims: shape, dataType: DATA_TYPE.float, rawData: bytesOf(data) };
  };
  const value = <T extends OnnxModel['graph']['input'][number]>(one: T): T => {
    const elemType = one.type?.tensorType?.elemType;
    if (!isNarrow(elemType)) return one;
    return { ...one, type: { tensorType: { ...one.type?.tensorType, elemType: DATA_TYPE.float } } };
  };
  const node = (one: OnnxModel['graph']['node'][number]) => ({
    ...one,
    attribute: one.attribute.map((attribute) => {
      if (attribute.t) return { ...attribute, t: tensor(attribute.t) };
      const casts = one.opType === 'Cast' && attribute.name === 'to' && isNarrow(attribute.i);
      return casts ? { ...attribute, i: DATA_TYPE.float } : attribute;
    }),
  });
  return {
    ...model,
    graph: {
      ...graph,
      node: graph.node.map(node),
      initializer: graph.initializer.map(tensor),
      input: graph.input.map(value),
      output: graph.output.map(value),
    },
  };
}
