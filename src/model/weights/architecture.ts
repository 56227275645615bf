import { UserError } from '../../base/errors.js';
import type { Architecture } from '../../config/network.js';
import { parameters } from '../parameters.js';
import type { Weights } from './weights.js';

/** YOLOX's named sizes (Megvii exps/default). */
const SIZES: readonly [name: string, depth: number, width: number, depthwise: boolean][] = [
  ['nano', 0.33, 0.25, true],
  ['tiny', 0.33, 0.375, false],
  ['s', 0.33, 0.5, false],
  ['m', 0.67, 0.75, false],
  ['l', 1, 1, false],
  ['x', 1.33, 1.25, false],
];

/** Describes an architecture: `YOLOX-s, 80 classes`, or its multiples if it has no name. */
export function describeArchitecture({ depth, width, depthwise, classes }: Architecture): string {
  const named = SIZES.find(([, d, w, separable]) => d === depth && w === width && separable === depthwise);
  const size = named ? `-${named[0]}` : ` of depth ${depth}, width ${width}${depthwise ? ', depthwise' : ''}`;
  return `YOLOX${size}, ${classes} class${classes === 1 ? '' : 'es'}`;
}

/**
 * Depth multiple of a network with `n` bottlenecks per CSP layer of the neck; `n` is three times the depth, rounded.
 */
export const depthOf = (n: number): number => (n === 0 ? 0.1 : Math.round((n * 100) / 3) / 100);

/** Width multiple of a network from the channels of its head, which are 256 times the width, truncated. */
export const widthOf = (headChannels: number): number => headChannels / 256;

/** Whether two architectures are the same apart from the number of classes. */
export function sameNetwork(a: Architecture, b: Architecture): boolean {
  const signature = (architecture: Architecture) =>
    JSON.stringify(parameters({ ...architecture, classes: 1 }).map(({ name, shape }) => [name, shape]));
  return signature(a) === signature(b);
}

/** Guesses the architecture of weights; undefined if the decisive tensors are missing. */
export function guessArchitecture(weights: Weights): Architecture | undefined {
  const channels = weights.get('head.stems.0.conv.weight')?.shape[0];
  const classes = weights.get('head.cls_preds.0.weight')?.shape[0];
  if (!channels || !classes) return undefined;
  let bottlenecks = 0;
  while (weights.has(`backbone.C3_p4.m.${bottlenecks}.conv1.conv.weight`)) bottlenecks++;
  const depthwise = weights.has('backbone.bu_conv2.dconv.conv.weight');
  return { depth: depthOf(bottlenecks), width: widthOf(channels), depthwise, classes };
}

/**
 * Infers the architecture of weights: the inverse of `parameters`, up to depths and widths that round to the same
 * network.
 * @throws UserError naming `where` if the weights are not those of a YOLOX
 */
export function inferArchitecture(weights: Weights, where?: string): Architecture {
  const found = guessArchitecture(weights);
  if (found !== undefined) return found;
  const received = `tensors ${[...weights.keys()].slice(0, 3).join(', ') || '(none)'} …`;
  throw new UserError({ where, expected: 'the weights of a YOLOX with its head', received });
}
