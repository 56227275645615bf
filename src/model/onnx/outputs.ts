import { anchorGrid, STRIDES } from '../../config/network.js';
import type { LevelOutput } from '../network.js';

/** A map of one image, [channels, height, width]. */
export interface LevelMap {
  channels: number;
  height: number;
  width: number;
  data: Float32Array;
}

/** One column of an output: a box value, objectness or class. */
interface Column {
  /** Value of each anchor. */
  values: Float32Array;
  kind: 'raw' | 'pixels' | 'score';
}

/** Columns of all anchors, or of those of one level. */
interface Columns {
  anchors: number;
  /** 4 box values, objectness, classes. */
  raw: Column[];
  /** Centre x, y, width, height in input pixels. */
  decoded: Column[];
}

/** Largest allowed difference of a value; float32 rounding errors are smaller. */
const TOLERANCE: Readonly<Record<Column['kind'], (value: number) => number>> = {
  raw: (value) => 1e-4 * Math.max(1, Math.abs(value)),
  pixels: (value) => 1e-3 * Math.max(1, Math.abs(value)),
  // onnxruntime's sigmoid has an absolute error of about 1e-7, which is large relative to the smallest scores.
  score: (value) => 2e-6 + 1e-2 * value * (1 - value),
};

/**
 * Whether an output of a model agrees with the network's raw outputs. It may contain boxes, objectness, classes or all
 * of them, raw or decoded boxes, the others before or after the sigmoid, for all anchors or one level, anchors or
 * columns first. `dims` and `data` are those of one image.
 */
export function isKnownOutput(dims: readonly number[], data: Float32Array, levels: LevelOutput<LevelMap>[]): boolean {
  const each = levels.map((level, i) => columnsOf(level, STRIDES[i]));
  const all: Columns = {
    anchors: each.reduce((sum, { anchors }) => sum + anchors, 0),
    raw: joined(each.map(({ raw }) => raw)),
    decoded: joined(each.map(({ decoded }) => decoded)),
  };
  return [all, ...each].some((columns) => holds(dims, data, columns));
}

function columnsOf({ reg, obj, cls }: LevelOutput<LevelMap>, stride: number): Columns {
  const { height, width } = obj;
  const anchors = height * width;
  const grid = anchorGrid(height * stride, width * stride, [stride]);
  const raw = [reg, obj, cls].flatMap(({ channels, data }) =>
    Array.from({ length: channels }, (_, i): Column => {
      return { values: data.subarray(i * anchors, (i + 1) * anchors), kind: 'raw' };
    }),
  );
  const [x, y, w, h] = raw.map(({ values }) => values);
  const decoded = [
    x.map((value, i) => (value + grid.x[i]) * stride),
    y.map((value, i) => (value + grid.y[i]) * stride),
    w.map((value) => Math.exp(value) * stride),
    h.map((value) => Math.exp(value) * stride),
  ];
  return { anchors, raw, decoded: decoded.map((values) => ({ values, kind: 'pixels' })) };
}

const joined = (levels: Column[][]): Column[] =>
  levels[0].map(({ kind }, i) => {
    return { values: Float32Array.from(levels.flatMap((columns) => [...columns[i].values])), kind };
  });

function holds(dims: readonly number[], data: Float32Array, { anchors, raw, decoded }: Columns): boolean {
  const count = data.length / anchors;
  const [boxes, logits] = [raw.slice(0, 4), raw.slice(4)];
  const scores = logits.map(({ values }): Column => {
    return { values: values.map((value) => 1 / (1 + Math.exp(-value))), kind: 'score' };
  });
  const parts = [logits, scores].flatMap((columns) => [columns, columns.slice(0, 1), columns.slice(1)]);
  const whole = [boxes, decoded].flatMap((columns) => [columns, [...columns, ...logits], [...columns, ...scores]]);
  const orders = [
    ...(count === 1 || dims.at(-1) === count ? [(column: number, anchor: number) => anchor * count + column] : []),
    ...(dims[0] === count ? [(column: number, anchor: number) => column * anchors + anchor] : []),
  ];
  return [...parts, ...whole]
    .filter((columns) => columns.length === count)
    .some((columns) =>
      orders.some((at) => columns.every((column, i) => alike(column, (anchor) => data[at(i, anchor)]))),
    );
}

const alike = ({ values, kind }: Column, other: (anchor: number) => number): boolean =>
  values.every((value, anchor) => other(anchor) === value || Math.abs(other(anchor) - value) <= TOLERANCE[kind](value));
