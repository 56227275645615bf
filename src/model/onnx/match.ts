import { UserError } from '../../base/errors.js';
import { SPP_KERNELS } from '../../config/network.js';
import type { BatchNorm } from '../weights/fold.js';
import { sameShape, type WeightTensor } from '../weights/weights.js';
import type { ConvLayer, Expected } from './expected.js';
import { isMergedFocus, splitFocus, takePatches } from './focus.js';
import { describeNode, floatOf, type GraphReader, integerOf, opName } from './graph_reader.js';
import type { OnnxNode } from './schema.js';
import { readFloats } from './tensor.js';
import {
  type Patch,
  patchesOf,
  poolingOf,
  sameWindow,
  upsamplingFault,
  windowDifference,
  windowOf,
} from './windows.js';

/** A convolution of the graph, with its weight in the network's form. */
export interface MatchedConv {
  weight: WeightTensor;
  /** Absent if the graph adds none. */
  bias?: WeightTensor;
  /** The following batch norm, if it was not folded. */
  norm?: BatchNorm;
}

/** Patches in the order of the network's stem: top-left, bottom-left, top-right, bottom-right. */
const PATCHES: readonly Patch[] = [0, 1, 2, 3].map((i) => ({ row: i & 1, column: i >> 1 }));

/** Remedies for nodes that reveal how a model was processed earlier. */
const REMEDIES: readonly [RegExp, string][] = [
  [/quantize|Integer|QLinear/i, 'Quantised models cannot be read: give the original model.'],
  [/^com\.microsoft/, 'It was optimised for onnxruntime: give the original model.'],
];

/** A difference between graph and network, at this number of layers below an output. */
class Mismatch extends UserError {
  constructor(
    problem: ConstructorParameters<typeof UserError>[0],
    readonly depth: number,
  ) {
    super(problem);
  }
}

/**
 * Compares a graph with a network, from outputs to image: every layer must exist, consist of the right operators, and
 * read the right values. Collects the convolutions by layer.
 */
export class GraphMatcher {
  readonly convs = new Map<ConvLayer, MatchedConv>();
  readonly #graph: GraphReader;
  /** Values of the graph by the network values they match. */
  readonly #bound = new Map<Expected, string>();
  #depth = 0;

  constructor(graph: GraphReader) {
    this.#graph = graph;
  }

  /** @throws UserError naming node and layer if `value` is not as expected */
  match(expected: Expected, value: string): void {
    const traced = this.#graph.trace(value);
    const bound = this.#bound.get(expected);
    if (bound !== undefined) {
      if (bound !== traced) throw this.#mismatch(`${this.#graph.describe(bound)} again`, value);
      return;
    }
    this.#depth++;
    this.#compare(expected, traced);
    this.#depth--;
    this.#bound.set(expected, traced);
  }

  #compare(expected: Expected, value: string): void {
    const { kind } = expected;
    if (kind === 'image') this.#image(value);
    else if (kind === 'conv') this.#conv(expected, value);
    else if (kind === 'convBnSilu') this.#conv(expected, this.#beforeSilu(expected.name, value));
    else if (kind === 'concat') this.#eachOf(this.#concat(value, expected.xs.length), expected.xs);
    else if (kind === 'add') this.#add(expected.a, expected.b, value);
    else if (kind === 'spp') this.#spp(expected.x, value);
    else if (kind === 'upsampleConcat') this.#upsampleConcat(expected.coarse, expected.fine, value);
    else throw new RangeError('a focus is read with the convolution behind it');
  }

  #image(value: string): void {
    if (value === this.#graph.input) return;
    const hint =
      'A graph that prepares its input itself cannot be read: export the network without that, and give --legacy for RGB with ImageNet statistics.';
    throw this.#mismatch(`the input ${this.#graph.input} as it is`, value, hint);
  }

  #eachOf(values: readonly string[], expected: readonly Expected[]): void {
    for (const [i, one] of expected.entries()) this.match(one, values[i]);
  }

  /** The input of the activation of layer `name`. */
  #beforeSilu(name: string, value: string): string {
    const graph = this.#graph;
    const node = graph.producer(value);
    if (node && opName(node) === 'Mul') {
      for (const [x, gate] of [node.input, node.input.toReversed()]) {
        const sigmoid = graph.producer(gate);
        if (sigmoid && opName(sigmoid) === 'Sigmoid' && graph.trace(sigmoid.input[0]) === graph.trace(x)) return x;
      }
    }
    // Both are x · σ(αx).
    const alpha = { Swish: 1, 'com.microsoft.QuickGelu': 1.702 }[node ? opName(node) : ''];
    if (node && alpha !== undefined && floatOf(node, 'alpha', alpha) === 1) return node.input[0];
    const inner = node && opName(node) === 'Mul' ? node.input.map((input) => graph.describe(input)).join(' and ') : '';
    throw this.#mismatch(
      `SiLU after ${name} (Mul by Sigmoid, or Swish)`,
      value,
      'YOLOX is computed here with SiLU: weights trained with another activation give other results.',
      inner && `${graph.describe(value)} of ${inner}`,
    );
  }

  #conv(layer: ConvLayer, value: string): void {
    const { name, shape, x } = layer;
    const graph = this.#graph;
    let node = graph.producer(value);
    let norm: BatchNorm | undefined;
    if (layer.kind === 'convBnSilu' && node && opName(node) === 'BatchNormalization') {
      norm = this.#batchNorm(node, shape.out);
      node = graph.producer(node.input[0]);
    }
    if (node === undefined || opName(node) !== 'Conv')
      throw this.#mismatch(`Conv of ${name}`, node?.output[0] ?? value);
    const stored = this.#constant(node, 1, 'weight');
    const merged = x.kind === 'focus' && isMergedFocus(stored);
    const groups = shape.groups ?? 1;
    const { shape: sides } = stored;
    const window = merged
      ? { ...sameWindow(6, 2), pads: [2, 2, 2, 2] }
      : sameWindow(shape.kernel, shape.stride, groups);
    const wanted = merged ? [shape.out, 3, 6, 6] : [shape.out, shape.in / groups, shape.kernel, shape.kernel];
    if (!sameShape(sides, wanted)) {
      throw this.#mismatch(
        `Conv of ${name} with weights [${wanted}]`,
        value,
        '',
        `${describeNode(node)} with [${sides}]`,
      );
    }
    const difference = windowDifference(window, windowOf(node, sides.slice(2)));
    if (difference) {
      const received = `${describeNode(node)} with ${difference.received}`;
      throw this.#mismatch(`Conv of ${name} with ${difference.expected}`, value, '', received);
    }
    const bias = node.input[2] ? { shape: [shape.out], data: this.#vector(node, 2, 'bias', shape.out) } : undefined;
    const weight = merged ? splitFocus(stored) : stored;
    if (x.kind !== 'focus') this.match(x, node.input[0]);
    else if (merged) this.match(x.x, node.input[0]);
    const patched = x.kind === 'focus' && !merged ? takePatches(weight, this.#focus(x.x, node.input[0])) : weight;
    this.convs.set(layer, { weight: patched, bias, norm });
  }

  /** For each patch of the network's focus, its index in the graph's. */
  #focus(image: Expected, value: string): number[] {
    const found = patchesOf(this.#graph, value);
    const order = PATCHES.map(({ row, column }) => {
      return found?.patches.findIndex((patch) => patch.row === row && patch.column === column) ?? -1;
    });
    if (found === undefined || order.includes(-1)) {
      throw this.#mismatch('the focus: every second pixel of the image, four patches concatenated', value);
    }
    this.match(image, found.of);
    return order;
  }

  #concat(value: string, count: number): string[] {
    const node = this.#graph.producer(value);
    if (node === undefined || opName(node) !== 'Concat') throw this.#mismatch(`Concat of ${count}`, value);
    const axis = integerOf(node, 'axis', 0);
    if (node.input.length === count && (axis === 1 || axis === -3)) return node.input;
    const received = `${describeNode(node)} of ${node.input.length} along axis ${axis}`;
    throw this.#mismatch(`Concat of ${count} along the channels`, value, '', received);
  }

  /**
   * A sum has no order. Of both assignments, the one that fails further down was right, so its difference is reported.
   */
  #add(a: Expected, b: Expected, value: string): void {
    const node = this.#graph.producer(value);
    if (node === undefined || opName(node) !== 'Add') throw this.#mismatch('Add of a shortcut', value);
    const { input } = node;
    this.#eitherOf(
      () => this.#eachOf(input, [a, b]),
      () => this.#eachOf(input, [b, a]),
    );
  }

  #eitherOf(first: () => void, second: () => void): void {
    const [depth, known] = [this.#depth, new Set(this.#bound.keys())];
    const tryOne = (one: () => void): Mismatch | undefined => {
      try {
        one();
        return undefined;
      } catch (error) {
        if (!(error instanceof Mismatch)) throw error;
        this.#depth = depth;
        for (const expected of this.#bound.keys()) if (!known.has(expected)) this.#bound.delete(expected);
        return error;
      }
    };
    const failed = tryOne(first);
    const again = failed && tryOne(second);
    if (failed && again) throw again.depth > failed.depth ? again : failed;
  }

  #upsampleConcat(coarse: Expected, fine: Expected, value: string): void {
    const [upsampled, beside] = this.#concat(value, 2);
    const node = this.#graph.producer(upsampled);
    const fault = node ? upsamplingFault(this.#graph, node) : this.#graph.describe(upsampled);
    if (node === undefined || fault) {
      throw this.#mismatch('upsampling by 2 to the nearest (Resize)', upsampled, '', fault);
    }
    this.#eachOf([node.input[0], beside], [coarse, fine]);
  }

  #spp(x: Expected, value: string): void {
    const [base, ...pooled] = this.#concat(value, 1 + SPP_KERNELS.length);
    for (const [i, kernel] of SPP_KERNELS.entries()) {
      const found = poolingOf(this.#graph, pooled[i], this.#graph.trace(base));
      if (found === kernel) continue;
      const received = found === undefined ? '' : `${this.#graph.describe(pooled[i])} over ${found}×${found}`;
      throw this.#mismatch(
        `MaxPool over ${kernel}×${kernel}, stride 1, same size`,
        pooled[i],
        '',
        received || undefined,
      );
    }
    this.match(x, base);
  }

  #batchNorm(node: OnnxNode, channels: number): BatchNorm {
    if (integerOf(node, 'training_mode', 0) !== 0) {
      const hint = 'Export the model after model.eval().';
      throw this.#mismatch('BatchNormalization in evaluation mode', node.output[0], hint);
    }
    const [gamma, beta, mean, variance] = ['scale', 'bias', 'mean', 'variance'].map((part, i) =>
      this.#vector(node, i + 1, part, channels),
    );
    return { gamma, beta, mean, variance, epsilon: floatOf(node, 'epsilon', 1e-5) };
  }

  #vector(node: OnnxNode, input: number, what: string, length: number): Float32Array {
    const { data, shape } = this.#constant(node, input, what);
    if (data.length === length) return data;
    throw this.#mismatch(`${describeNode(node)} with ${length} values of ${what}`, node.output[0], '', `[${shape}]`);
  }

  #constant(node: OnnxNode, input: number, what: string): WeightTensor {
    const tensor = this.#graph.constant(node.input[input]);
    if (tensor) return readFloats(tensor, this.#graph.where);
    const received = `${what} from ${this.#graph.describe(node.input[input] ?? '')}`;
    throw this.#mismatch(
      `${describeNode(node)} with its ${what} stored as a constant`,
      node.input[input],
      '',
      received,
    );
  }

  #mismatch(expected: string, value: string, hint = '', reason = ''): Mismatch {
    const { where } = this.#graph;
    const received = reason || this.#graph.describe(value);
    const remedy = REMEDIES.find(([pattern]) => pattern.test(received))?.[1];
    const problem = { where, field: 'graph', expected, received, hint: remedy ?? (hint || undefined) };
    return new Mismatch(problem, this.#depth);
  }
}
