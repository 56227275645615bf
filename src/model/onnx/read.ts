import { UserError } from '../../base/errors.js';
import { parameters } from '../parameters.js';
import { depthOf, guessArchitecture, inferArchitecture } from '../weights/architecture.js';
import { type Dtype, ITEM_BYTES, toFloat32 } from '../weights/dtype.js';
import { setFolded } from '../weights/fold.js';
import { toMegvii } from '../weights/key_map.js';
import { elements, sameShape, type Weights, type WeightTensor } from '../weights/weights.js';
import { isMergedFocus, splitFocus } from './focus.js';
import { DATA_TYPE, decodeModel, type OnnxModel, type OnnxTensor } from './schema.js';

export interface OnnxWeights {
  /** The batch norms, folded into the convolutions, only add the bias. */
  weights: Weights;
  /** The file's `metadata_props`. */
  metadata: Record<string, string>;
  /** Input height, width where the graph fixes them. */
  size?: [number, number];
}

/** The weight of a convolution of the graph, and its bias. */
interface Conv extends WeightTensor {
  /** Name of the weight in the graph. */
  name: string;
  bias?: WeightTensor;
}

/** Most bottlenecks per CSP layer looked for: those of depth 4, the largest the configuration allows. */
const MAX_BOTTLENECKS = 12;

/**
 * Reads the weights of a YOLOX that was exported with its batch norms folded, by any exporter that names them as
 * Megvii or mmdetection do, or keeps the convolutions in the order of Megvii's forward pass. UserError (naming
 * `where`) for others.
 */
export function parseOnnxWeights(bytes: Uint8Array, where: string): OnnxWeights {
  const model = decodeModel(bytes, where);
  const convs = convolutions(model, where);
  const byName = new Map(convs.map((conv) => [toMegvii(conv.name), conv]));
  const weights = collect(guessArchitecture(byName) ? byName : byOrder(convs, where), where);
  const metadata = Object.fromEntries(model.metadataProps.map(({ key, value }) => [key, value]));
  return { weights, metadata, size: inputSize(model) };
}

function inputSize({ graph }: OnnxModel): [number, number] | undefined {
  const [, , height, width] = graph.input[0]?.type.tensorType.shape.dim.map(({ dimValue }) => dimValue) ?? [];
  return height && width ? [height, width] : undefined;
}

/** The convolutions of the graph in its order, which is topological. */
function convolutions({ graph }: OnnxModel, where: string): Conv[] {
  if (graph.node.some(({ opType }) => opType === 'BatchNormalization')) {
    const hint = 'Export the model in evaluation mode, with constants folded.';
    throw new UserError({
      where,
      expected: 'batch norms folded into the convolutions',
      received: 'BatchNormalization nodes',
      hint,
    });
  }
  const constants = graph.node.flatMap(({ opType, output, attribute }) =>
    opType === 'Constant' ? attribute.flatMap(({ t }) => (t ? [{ ...t, name: output[0] }] : [])) : [],
  );
  const tensors = new Map([...graph.initializer, ...constants].map((tensor) => [tensor.name, tensor]));
  return graph.node
    .filter(({ opType }) => opType === 'Conv')
    .map(({ input: [, name, bias] }) => {
      const [weight, offset] = [name, bias].map((key) => tensors.get(key));
      if (weight === undefined) {
        throw new UserError({
          where,
          field: name,
          expected: 'convolution weights stored as constants',
          hint: 'Quantised models cannot be read.',
        });
      }
      return { ...floats(weight, where), name, bias: offset && floats(offset, where) };
    });
}

const FLOAT_TYPES: Readonly<Record<number, Dtype>> = {
  [DATA_TYPE.float]: 'F32',
  [DATA_TYPE.double]: 'F64',
  [DATA_TYPE.float16]: 'F16',
  [DATA_TYPE.bfloat16]: 'BF16',
};

function floats(tensor: OnnxTensor, where: string): WeightTensor {
  const { name, dims: shape, dataType, rawData, floatData, doubleData, dataLocation } = tensor;
  const fail = (expected: string, received: unknown) => new UserError({ where, field: name, expected, received });
  if (dataLocation === 1) throw fail('values inside the file', 'a reference to another file');
  const dtype = FLOAT_TYPES[dataType];
  if (dtype === undefined) throw fail('floating-point values', `data type ${dataType}`);
  const length = elements(shape);
  if (rawData?.length === length * ITEM_BYTES[dtype]) return { shape, data: toFloat32(dtype, rawData) };
  const data = Float32Array.from((floatData?.length ? floatData : doubleData) ?? []);
  if (data.length !== length) throw fail(`${length} values for shape [${shape}]`, `${data.length}`);
  return { shape, data };
}

/** Names anonymous convolutions after the layers of the network that has as many. */
function byOrder(convs: readonly Conv[], where: string): Map<string, Conv> {
  const depthwise = convs[1]?.shape[1] === 1;
  for (let n = 0; n <= MAX_BOTTLENECKS; n++) {
    const names = weightParameters({ depth: depthOf(n), width: 1, depthwise, classes: 1 }).map(({ name }) => name);
    if (names.length === convs.length) return new Map(names.map((name, i) => [name, convs[i]]));
  }
  throw new UserError({ where, expected: 'the convolutions of a YOLOX', received: `${convs.length} convolutions` });
}

const weightParameters = (...architecture: Parameters<typeof parameters>) =>
  parameters(...architecture).filter(({ kind }) => kind === 'weight');

/** Checks the convolutions against the layers they are named after, and takes their values. */
function collect(convs: Map<string, Conv>, where: string): Weights {
  const layers = weightParameters(inferArchitecture(convs, where));
  const names = new Set(layers.map(({ name }) => name));
  const weights: Weights = new Map();
  for (const { name, shape } of layers) {
    const conv = convs.get(name);
    const weight = conv && isMergedFocus(conv) ? splitFocus(conv) : conv;
    const claimed = conv && toMegvii(conv.name);
    if (!conv?.bias || !weight || !sameShape(weight.shape, shape) || (names.has(claimed ?? '') && claimed !== name)) {
      const received = conv && `${conv.name} of shape [${conv.shape}]${conv.bias ? '' : ' without bias'}`;
      throw new UserError({ where, field: name, expected: `a convolution of shape [${shape}] with bias`, received });
    }
    const layer = name.replace(/\.weight$/, '');
    const folded = { weight: { shape, data: weight.data }, bias: conv.bias };
    if (layer.endsWith('.conv')) setFolded(weights, layer.replace(/\.conv$/, ''), folded);
    else weights.set(name, folded.weight).set(`${layer}.bias`, folded.bias);
  }
  return weights;
}
