import { UserError } from '../../base/errors.js';
import type { Architecture } from '../../config/network.js';
import type { LevelOutput } from '../network.js';
import { parameters } from '../parameters.js';
import { depthOf, widthOf } from '../weights/architecture.js';
import { describeNode, type GraphReader, opName } from './graph_reader.js';
import type { OnnxNode } from './schema.js';

/** Most bottlenecks per CSP layer: those of depth 4, the largest the configuration allows. */
const MAX_BOTTLENECKS = 12;

/** Values of a graph with the raw outputs of the three levels, in order of their strides. */
export interface Heads {
  levels: LevelOutput<string>[];
  architecture: Architecture;
}

/** A prediction convolution, and the convolutions before it up to the stem of its level. */
interface Prediction {
  node: OnnxNode;
  /** Its output and input channels. */
  out: number;
  in: number;
  depthwise: boolean;
  stem: OnnxNode;
  /** Input channels of the stem. */
  width: number;
}

/**
 * Finds the predictions of a YOLOX in a graph (convolutions not followed by another one) and its architecture. Does not
 * compare the layers before them.
 * @throws UserError for a graph that ends differently
 */
export function findHeads(graph: GraphReader): Heads {
  const last = [...graph.ancestors(graph.outputs, isConv)].filter(isConv);
  if (last.length !== 9) {
    const names = last.slice(0, 12).map(describeNode).join(', ');
    throw fail(
      graph,
      'nine convolutions before the outputs: boxes, objectness and classes of three levels',
      `${last.length}: ${names}`,
    );
  }
  const predictions = last.map((node) => predictionOf(graph, node));
  const stems = [...new Set(predictions.map(({ stem }) => stem))];
  const levels = stems
    .map((stem) => predictions.filter((prediction) => prediction.stem === stem))
    .sort(([a], [b]) => a.width - b.width)
    .map((members) => levelOf(graph, members));
  const [{ cls, hidden }] = levels;
  const classes = [...new Set(levels.map((level) => level.cls.out))];
  if (levels.length !== 3 || classes.length !== 1) {
    throw fail(graph, 'three levels of the same classes', `${levels.length} levels of ${classes} classes`);
  }
  const { depthwise } = cls;
  const count = [...graph.ancestors(graph.outputs, () => false)].filter(isConv).length;
  const architecture = { depth: depthFor(count, depthwise), width: widthOf(hidden), depthwise, classes: cls.out };
  return {
    levels: levels.map((level) => ({
      reg: level.reg.node.output[0],
      obj: level.obj.node.output[0],
      cls: level.cls.node.output[0],
    })),
    architecture,
  };
}

const isConv = (node: OnnxNode): boolean => opName(node) === 'Conv';

const fail = (graph: GraphReader, expected: string, received: string) =>
  new UserError({ where: graph.where, field: 'graph', expected, received, hint: 'Only YOLOX can be read.' });

/** Between a prediction and the stem of its level are two convolutions, each in two parts if separable. */
function predictionOf(graph: GraphReader, node: OnnxNode): Prediction {
  const [out, channels] = weightShape(graph, node);
  const [before] = convsBefore(graph, node);
  const depthwise = before !== undefined && weightShape(graph, before)[2] === 1;
  let stem = node;
  for (let i = 0; i < (depthwise ? 5 : 3); i++) {
    const previous = convsBefore(graph, stem);
    if (previous.length !== 1) {
      const received = `${describeNode(stem)} after ${previous.map(describeNode).join(' and ') || 'none'}`;
      throw fail(graph, `one row of convolutions before ${describeNode(node)}`, received);
    }
    [stem] = previous;
  }
  return { node, out, in: channels, depthwise, stem, width: weightShape(graph, stem)[1] };
}

const convsBefore = (graph: GraphReader, { input }: OnnxNode): OnnxNode[] =>
  [...graph.ancestors(input.slice(0, 1), isConv)].filter(isConv);

function weightShape(graph: GraphReader, node: OnnxNode): number[] {
  const tensor = graph.constant(node.input[1]);
  if (tensor) return tensor.dims;
  const hint = 'Quantised models cannot be read: give the original model.';
  const received = graph.describe(node.input[1]);
  throw new UserError({
    where: graph.where,
    field: 'graph',
    expected: `${describeNode(node)} with its weight stored as a constant`,
    received,
    hint,
  });
}

/** Boxes and objectness are predicted from the same features, classes from others. */
function levelOf(graph: GraphReader, members: Prediction[]) {
  const featuresOf = ({ node }: Prediction) => graph.trace(node.input[0]);
  const twins = members.filter((a) => members.some((b) => a !== b && featuresOf(a) === featuresOf(b)));
  const reg = twins.find(({ out }) => out === 4);
  const obj = twins.find(({ out }) => out === 1);
  const cls = members.find((member) => !twins.includes(member));
  if (members.length !== 3 || !reg || !obj || !cls) {
    const received = members.map(({ node, out }) => `${describeNode(node)} of ${out}`).join(', ');
    throw fail(graph, 'a level of 4 box values and 1 objectness from one branch, classes from another', received);
  }
  return { reg, obj, cls, hidden: reg.in };
}

/** Depth of the network with this number of convolutions, or the nearest. */
function depthFor(count: number, depthwise: boolean): number {
  const counts = Array.from({ length: MAX_BOTTLENECKS + 1 }, (_, n) => {
    const list = parameters({ depth: depthOf(n), width: 1, depthwise, classes: 1 });
    return list.filter(({ kind }) => kind === 'weight').length;
  });
  const gaps = counts.map((convolutions) => Math.abs(convolutions - count));
  return depthOf(gaps.indexOf(Math.min(...gaps)));
}
