import { type Architecture, SPP_KERNELS, STRIDES } from '../../config/network.js';
import type { Preprocess } from '../../config/preprocess.js';
import { type ConvShape, type Layers, type LevelOutput, yolox } from '../network.js';
import { type CheckpointInfo, checkpointMetadata } from '../weights/checkpoint.js';
import { type FoldedConv, foldBatchNorm } from '../weights/fold.js';
import { tensorOf, type Weights } from '../weights/weights.js';
import { mergeFocus } from './focus.js';
import { GraphBuilder } from './graph.js';
import { DATA_TYPE, encodeModel, type OnnxValue } from './schema.js';

/** Operator set of ONNX 1.12, which every onnxruntime since 1.12 supports, and the matching IR version. */
const OPSET = 17;
const IR_VERSION = 8;

/** Name of the input in every model we write. */
export const INPUT = 'images';
const OUTPUT = 'output';

export interface OnnxLabels extends Omit<CheckpointInfo, 'architecture' | 'preprocess'> {
  name?: string;
}

/**
 * Exports a network as an ONNX file. Input `images` float32 [batch,3,H,W], already preprocessed; output `output`
 * float32 [batch,A,5+C]: centre x, y, width, height in input pixels, objectness and class probabilities; levels of
 * stride 8, 16, 32 in this order, each row-major. `weights` must contain every parameter of the architecture. Labels
 * and other information about the file go into its `metadata_props`.
 */
export function exportOnnx(
  weights: Weights,
  architecture: Architecture,
  preprocess: Preprocess,
  labels: OnnxLabels = {},
): Uint8Array {
  const { name = 'yolox', ...info } = labels;
  const graph = new GraphBuilder();
  const levels = yolox(new OnnxLayers(graph, weights), INPUT, architecture);
  decode(graph, levels, preprocess.size, architecture.classes);
  const metadata = { name, ...checkpointMetadata({ architecture, preprocess, ...info }) };
  const input = valueInfo(INPUT, ['batch', 3, ...preprocess.size]);
  const output = valueInfo(OUTPUT, ['batch', anchorCount(preprocess.size), 5 + architecture.classes]);
  return encodeGraph(graph, name, input, [output], metadata);
}

/**
 * Exports the network up to its raw outputs, for any batch and size; the outputs of each level are named after their
 * values.
 */
export function exportHeads(
  weights: Weights,
  architecture: Architecture,
): { model: Uint8Array; levels: LevelOutput<string>[] } {
  const graph = new GraphBuilder();
  const levels = yolox(new OnnxLayers(graph, weights), INPUT, architecture);
  const outputs = levels.flatMap(({ reg, obj, cls }) => [reg, obj, cls]);
  const input = valueInfo(INPUT, ['batch', 3, 'height', 'width']);
  return {
    model: encodeGraph(
      graph,
      'heads',
      input,
      outputs.map((name) => ({ name })),
      {},
    ),
    levels,
  };
}

function encodeGraph(
  graph: GraphBuilder,
  name: string,
  input: OnnxValue,
  output: OnnxValue[],
  metadata: Record<string, string>,
): Uint8Array {
  return encodeModel({
    irVersion: IR_VERSION,
    producerName: 'yolox-node',
    opsetImport: [{ domain: '', version: OPSET }],
    graph: { name, node: graph.nodes, initializer: graph.constants, input: [input], output },
    metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
  });
}

const anchorCount = ([height, width]: readonly number[]): number =>
  STRIDES.reduce((sum, stride) => sum + (height / stride) * (width / stride), 0);

function valueInfo(name: string, dims: readonly (number | string)[]): OnnxValue {
  const dim = dims.map((side) => (typeof side === 'string' ? { dimParam: side } : { dimValue: side }));
  return { name, type: { tensorType: { elemType: DATA_TYPE.float, shape: { dim } } } };
}

/** Emits the network as nodes; values are names of ONNX values [N,C,H,W]. */
class OnnxLayers implements Layers<string> {
  readonly #graph: GraphBuilder;
  readonly #weights: Weights;

  constructor(graph: GraphBuilder, weights: Weights) {
    this.#graph = graph;
    this.#weights = weights;
  }

  /** Emits nothing, because the stem's convolution includes it. */
  focus(x: string): string {
    return x;
  }

  convBnSilu(x: string, name: string, shape: ConvShape): string {
    const { weight, bias } = foldBatchNorm(this.#weights, name);
    const y = name.endsWith('.stem.conv')
      ? this.#conv(x, `${name}.conv`, { kernel: 6, stride: 2 }, { weight: mergeFocus(weight), bias })
      : this.#conv(x, `${name}.conv`, shape, { weight, bias });
    const sigmoid = this.#graph.op('Sigmoid', `${name}.sigmoid`, [y]);
    return this.#graph.op('Mul', `${name}.silu`, [y, sigmoid]);
  }

  conv(x: string, name: string, shape: ConvShape): string {
    const [weight, bias] = ['weight', 'bias'].map((part) => tensorOf(this.#weights, `${name}.${part}`));
    return this.#conv(x, name, shape, { weight, bias });
  }

  concat(xs: readonly string[]): string {
    return this.#graph.op('Concat', `${xs[0]}.concat`, [...xs], { axis: 1 });
  }

  add(a: string, b: string): string {
    return this.#graph.op('Add', `${a}.add`, [a, b]);
  }

  spp(x: string): string {
    const pooled = SPP_KERNELS.map((kernel) => {
      const pad = (kernel - 1) / 2;
      const window = { kernel_shape: [kernel, kernel], strides: [1, 1], pads: [pad, pad, pad, pad] };
      return this.#graph.op('MaxPool', `${x}.max_pool${kernel}`, [x], window);
    });
    return this.concat([x, ...pooled]);
  }

  upsampleConcat(coarse: string, fine: string): string {
    const scales = this.#graph.floats('upsample.scales', [4], Float32Array.of(1, 1, 2, 2));
    const upsampled = this.#graph.op('Resize', `${coarse}.upsample`, [coarse, '', scales], {
      mode: 'nearest',
      coordinate_transformation_mode: 'asymmetric',
      nearest_mode: 'floor',
    });
    return this.concat([upsampled, fine]);
  }

  #conv(
    x: string,
    name: string,
    { kernel, stride = 1, groups = 1 }: Omit<ConvShape, 'in' | 'out'>,
    { weight, bias }: FoldedConv,
  ): string {
    const pad = Math.floor((kernel - 1) / 2);
    const input = [
      x,
      this.#graph.floats(`${name}.weight`, weight.shape, weight.data),
      this.#graph.floats(`${name}.bias`, bias.shape, bias.data),
    ];
    return this.#graph.op('Conv', name, input, {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [pad, pad, pad, pad],
      group: groups,
    });
  }
}

/**
 * xy = (p + grid) · stride, wh = exp(p) · stride, sigmoid for the rest. Every map is transposed to [N,H,W,C] right
 * after its convolution, where onnxruntime merges the transposition and the sigmoid with the exit from its own layout.
 */
function decode(
  graph: GraphBuilder,
  levels: LevelOutput<string>[],
  [height, width]: readonly number[],
  classes: number,
): void {
  const rows = (part: keyof LevelOutput<string>, channels: number, activate: boolean): string => {
    const flat = levels.map((level, i) => {
      const name = `level${i}.${part}`;
      const map = activate ? graph.op('Sigmoid', `${name}.probabilities`, [level[part]]) : level[part];
      const last = graph.op('Transpose', `${name}.last`, [map], { perm: [0, 2, 3, 1] });
      // 0 keeps the batch size; -1 stands for the anchors of the level.
      return graph.op('Reshape', `${name}.flat`, [last, graph.integers(`${part}.shape`, [0, -1, channels])]);
    });
    return graph.op('Concat', part, flat, { axis: 1 });
  };
  const { grid, strides } = anchors(height, width);
  const count = strides.length / 2;
  const stride = graph.floats('stride', [1, count, 2], strides);
  const parts = graph.integers('reg.parts', [2, 2]);
  const [xy, wh] = graph.node('Split', 'reg.split', [rows('reg', 4, false), parts], { axis: 2 }, 2);
  const centre = graph.op('Add', 'centre.cells', [xy, graph.floats('grid', [1, count, 2], grid)]);
  const values = [
    graph.op('Mul', 'centre', [centre, stride]),
    graph.op('Mul', 'size', [graph.op('Exp', 'size.cells', [wh]), stride]),
    rows('obj', 1, true),
    rows('cls', classes, true),
  ];
  graph.op('Concat', OUTPUT, values, { axis: 2 });
}

/** Cell (x, y) and stride (twice) of every anchor, level by level, row-major. */
function anchors(height: number, width: number): { grid: Float32Array; strides: Float32Array } {
  const cells = STRIDES.flatMap((stride) =>
    Array.from({ length: (height / stride) * (width / stride) }, (_, i) => {
      const columns = width / stride;
      return { x: i % columns, y: Math.floor(i / columns), stride };
    }),
  );
  return {
    grid: Float32Array.from(cells.flatMap(({ x, y }) => [x, y])),
    strides: Float32Array.from(cells.flatMap(({ stride }) => [stride, stride])),
  };
}
