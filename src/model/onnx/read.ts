import { type Architecture, BATCH_NORM_EPSILON } from '../../config/network.js';
import type { LevelOutput } from '../network.js';
import { fold, setFolded } from '../weights/fold.js';
import type { Weights, WeightTensor } from '../weights/weights.js';
import { type ConvLayer, expectedOutputs } from './expected.js';
import { GraphReader } from './graph_reader.js';
import { findHeads } from './heads.js';
import { GraphMatcher, type MatchedConv } from './match.js';
import { decodeModel, type OnnxModel } from './schema.js';

export interface OnnxNetwork {
  weights: Weights;
  architecture: Architecture;
  /** The file's `metadata_props`. */
  metadata: Record<string, string>;
  /** Input height and width, if the graph fixes them. */
  size?: [number, number];
  graph: GraphReader;
  /** Values of the graph with the raw outputs, levels in order of their strides. */
  levels: LevelOutput<string>[];
}

/**
 * Reads the network of an ONNX model, whatever its exporter and the names of its values. From outputs to image, every
 * operator must be the one YOLOX has there. Batch norms folded into convolutions become batch norms that only add the
 * bias.
 * @throws UserError naming `where` and the node for any other graph
 */
export function readOnnxNetwork(model: OnnxModel, where: string): OnnxNetwork {
  const graph = new GraphReader(model, where);
  const { levels, architecture } = findHeads(graph);
  const matcher = new GraphMatcher(graph);
  for (const [i, outputs] of expectedOutputs(architecture).entries()) {
    for (const part of ['reg', 'obj', 'cls'] as const) matcher.match(outputs[part], levels[i][part]);
  }
  const metadata = Object.fromEntries(model.metadataProps.map(({ key, value }) => [key, value]));
  const [, , height, width] = graph.inputShape;
  const size: [number, number] | undefined = height && width ? [height, width] : undefined;
  return { weights: weightsOf(matcher.convs), architecture, metadata, size, graph, levels };
}

/** Like `readOnnxNetwork`, for the bytes of a model in one file. */
export const parseOnnxWeights = (bytes: Uint8Array, where: string): OnnxNetwork =>
  readOnnxNetwork(decodeModel(bytes, where), where);

/** Tensors by Megvii key. If one batch norm is folded or has another ε, all of them are folded. */
function weightsOf(convs: ReadonlyMap<ConvLayer, MatchedConv>): Weights {
  const weights: Weights = new Map();
  const epsilon = Math.fround(BATCH_NORM_EPSILON);
  const whole = [...convs].every(
    ([{ kind }, { norm }]) => kind === 'conv' || Math.fround(norm?.epsilon ?? 0) === epsilon,
  );
  for (const [{ kind, name }, { weight, bias = zeros(weight.shape[0]), norm }] of convs) {
    if (kind === 'conv') weights.set(`${name}.weight`, weight).set(`${name}.bias`, bias);
    else if (norm === undefined) setFolded(weights, name, { weight, bias });
    else if (!whole) setFolded(weights, name, fold(weight, norm, bias));
    else {
      const vector = (data: Float32Array): WeightTensor => ({ shape: [data.length], data });
      weights.set(`${name}.conv.weight`, weight);
      weights.set(`${name}.bn.weight`, vector(norm.gamma));
      weights.set(`${name}.bn.bias`, vector(norm.beta));
      weights.set(`${name}.bn.running_mean`, vector(norm.mean.map((value, i) => value - bias.data[i])));
      weights.set(`${name}.bn.running_var`, vector(norm.variance));
    }
  }
  return weights;
}

const zeros = (length: number): WeightTensor => ({ shape: [length], data: new Float32Array(length) });
