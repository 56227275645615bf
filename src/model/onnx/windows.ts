import { attributeOf, type GraphReader, integerOf, integersOf, opName, textOf } from './graph_reader.js';
import type { OnnxNode } from './schema.js';
import { readFloats, readIntegers } from './tensor.js';

/** Window of a convolution or pooling. */
export interface Window {
  kernel: number[];
  strides: number[];
  /** Top, left, bottom, right. */
  pads: number[];
  dilations: number[];
  group: number;
}

/** The window of a Conv or MaxPool node over an input whose sides are multiples of the strides. */
export function windowOf(node: OnnxNode, kernel: number[]): Window {
  const strides = integersOf(node, 'strides', [1, 1]);
  const dilations = integersOf(node, 'dilations', [1, 1]);
  const shape = integersOf(node, 'kernel_shape', kernel);
  const reach = shape.map((side, axis) => (side - 1) * dilations[axis] + 1);
  return { kernel: shape, strides, pads: padsOf(node, reach, strides), dilations, group: integerOf(node, 'group', 1) };
}

function padsOf(node: OnnxNode, reach: number[], strides: number[]): number[] {
  const auto = textOf(node, 'auto_pad', 'NOTSET');
  if (auto === 'NOTSET') return integersOf(node, 'pads', [0, 0, 0, 0]);
  if (auto === 'VALID') return [0, 0, 0, 0];
  // SAME pads so that the output has the size of the input divided by the stride; an odd remainder goes to the end, or
  // to the start.
  const total = reach.map((side, axis) => Math.max(0, side - strides[axis]));
  const less = total.map((pad) => Math.floor(pad / 2));
  const more = total.map((pad) => Math.ceil(pad / 2));
  return auto === 'SAME_LOWER' ? [...more, ...less] : [...less, ...more];
}

/** A square window with symmetric padding that keeps the size (apart from the stride) and no dilation. */
export function sameWindow(kernel: number, stride = 1, group = 1): Window {
  const pad = Math.floor((kernel - 1) / 2);
  return { kernel: [kernel, kernel], strides: [stride, stride], pads: [pad, pad, pad, pad], dilations: [1, 1], group };
}

/** Describes the difference between two windows, `strides [1,1]` and `strides [2,2]`; undefined if they are equal. */
export function windowDifference(
  expected: Window,
  received: Window,
): { expected: string; received: string } | undefined {
  const keys = Object.keys(expected) as (keyof Window)[];
  const key = keys.find((name) => JSON.stringify(expected[name]) !== JSON.stringify(received[name]));
  return (
    key && { expected: `${key} ${JSON.stringify(expected[key])}`, received: `${key} ${JSON.stringify(received[key])}` }
  );
}

/**
 * Side of the max-pooling window from `base` to `value`; successive poolings combine to a larger window. 1 if both are
 * the same value; undefined if there are other nodes in between.
 */
export function poolingOf(graph: GraphReader, value: string, base: string): number | undefined {
  let kernel = 1;
  let at = graph.trace(value);
  while (at !== base) {
    const node = graph.producer(at);
    if (node === undefined || opName(node) !== 'MaxPool' || integerOf(node, 'ceil_mode', 0) !== 0) return undefined;
    const window = windowOf(node, []);
    const [side] = window.kernel;
    if (side === undefined || side % 2 === 0 || windowDifference(sameWindow(side), window)) return undefined;
    kernel += side - 1;
    at = graph.trace(node.input[0]);
  }
  return kernel;
}

/** Input coordinate of an output of Resize by `coordinate_transformation_mode`, at a scale of 2. */
const COORDINATES: Readonly<Record<string, (x: number) => number>> = {
  asymmetric: (x) => x / 2,
  half_pixel: (x) => (x + 0.5) / 2 - 0.5,
  half_pixel_symmetric: (x) => (x + 0.5) / 2 - 0.5,
  pytorch_half_pixel: (x) => (x + 0.5) / 2 - 0.5,
  tf_half_pixel_for_nn: (x) => (x + 0.5) / 2,
};

const ROUNDING: Readonly<Record<string, (x: number) => number>> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

/**
 * Why a node is not nearest-neighbour upsampling by two, e.g. `mode linear`; undefined if it is. Sizes need no check,
 * because it is concatenated with a tensor of the right size.
 */
export function upsamplingFault(graph: GraphReader, node: OnnxNode): string | undefined {
  const name = opName(node);
  if (name !== 'Resize' && name !== 'Upsample') return graph.describe(node.output[0]);
  const mode = textOf(node, 'mode', 'nearest');
  if (mode !== 'nearest') return `${name} of mode ${mode}`;
  const scales = scalesOf(graph, node);
  if (scales && JSON.stringify(scales) !== '[1,1,2,2]') return `${name} by scales [${scales}]`;
  // Upsample, and Resize before opset 11, have only one mode of coordinates.
  const old = name === 'Upsample' || node.input.length <= 2;
  const from = textOf(node, 'coordinate_transformation_mode', old ? 'asymmetric' : 'half_pixel');
  const rounding = textOf(node, 'nearest_mode', old ? 'floor' : 'round_prefer_floor');
  const [coordinate, round] = [COORDINATES[from], ROUNDING[rounding]];
  const nearest = [0, 1, 2, 3, 4, 5].every((x) => {
    return coordinate && round && Math.max(0, round(coordinate(x))) === Math.floor(x / 2);
  });
  return nearest ? undefined : `${name} of coordinates ${from}, rounding ${rounding}`;
}

/** Constant scales of a Resize; undefined if it uses sizes. */
function scalesOf(graph: GraphReader, node: OnnxNode): number[] | undefined {
  const attribute = attributeOf(node, 'scales')?.floats;
  if (attribute?.length) return attribute;
  const tensor = graph.constant(node.input.length <= 2 ? node.input[1] : node.input[2]);
  const values = tensor && Array.from(readFloats(tensor, graph.where).data);
  return values?.length ? values : undefined;
}

/** Position of a patch's pixels in the 2×2 squares that the focus separates. */
export interface Patch {
  row: number;
  column: number;
}

/** If `value` concatenates patches of one value, returns that value and the patches in order; otherwise undefined. */
export function patchesOf(graph: GraphReader, value: string): { of: string; patches: Patch[] } | undefined {
  const node = graph.producer(value);
  if (node === undefined) return undefined;
  if (opName(node) === 'SpaceToDepth' && integerOf(node, 'blocksize', 0) === 2) {
    const patches = [0, 1, 2, 3].map((i) => ({ row: i >> 1, column: i & 1 }));
    return { of: graph.trace(node.input[0]), patches };
  }
  if (opName(node) !== 'Concat' || ![1, -3].includes(integerOf(node, 'axis', 0)) || node.input.length !== 4)
    return undefined;
  const found = node.input.map((input) => patchOf(graph, input));
  const [first] = found;
  const whole = found.filter((patch) => patch !== undefined && patch.of === first?.of);
  return first && whole.length === 4 ? { of: first.of, patches: whole as Patch[] } : undefined;
}

/** The patch selected by a chain of slices: every second row and column, starting at the first or second. */
function patchOf(graph: GraphReader, value: string): (Patch & { of: string }) | undefined {
  const starts = new Map<number, number>();
  let at = graph.trace(value);
  for (let node = graph.producer(at); node && opName(node) === 'Slice'; node = graph.producer(at)) {
    for (const { axis, start, end, step } of slicesOf(graph, node)) {
      const known = axis === 2 || axis === 3;
      const whole = end >= (graph.inputShape[axis] ?? MAX_SIDE);
      if (!known || starts.has(axis) || step !== 2 || (start !== 0 && start !== 1) || !whole) return undefined;
      starts.set(axis, start);
    }
    at = graph.trace(node.input[0]);
  }
  const [row, column] = [starts.get(2), starts.get(3)];
  return row === undefined || column === undefined ? undefined : { row, column, of: at };
}

/** A slice end beyond this many pixels means the end of the axis; exporters write 2³¹ − 1 or 2⁶³ − 1. */
const MAX_SIDE = 1 << 20;

/** The slices of a Slice node by axis; negative axes count from the end of four. */
function slicesOf(graph: GraphReader, node: OnnxNode): { axis: number; start: number; end: number; step: number }[] {
  const integers = (input: number, otherwise: number[]): number[] => {
    const tensor = graph.constant(node.input[input]);
    return tensor ? readIntegers(tensor, graph.where) : otherwise;
  };
  const starts = integers(1, integersOf(node, 'starts', []));
  const ends = integers(2, integersOf(node, 'ends', []));
  const axes = integers(
    3,
    integersOf(
      node,
      'axes',
      starts.map((_, axis) => axis),
    ),
  );
  const steps = integers(
    4,
    starts.map(() => 1),
  );
  return (
    starts
      .map((start, i) => ({ axis: (axes[i] + 4) % 4, start, end: ends[i], step: steps[i] }))
      // A slice from first to last with step 1 changes nothing.
      .filter(({ start, end, step }) => !(start === 0 && end >= MAX_SIDE && step === 1))
  );
}
