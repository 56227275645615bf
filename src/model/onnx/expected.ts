import type { Architecture } from '../../config/network.js';
import { type ConvShape, type Layers, type LevelOutput, yolox } from '../network.js';

/**
 * A value of the network, described by the layer that computes it and the values this reads; graphs are compared with
 * it.
 */
export type Expected =
  | { kind: 'image' }
  | { kind: 'focus'; x: Expected }
  | { kind: 'convBnSilu' | 'conv'; name: string; shape: ConvShape; x: Expected }
  | { kind: 'concat'; xs: readonly Expected[] }
  | { kind: 'add'; a: Expected; b: Expected }
  | { kind: 'spp'; x: Expected }
  | { kind: 'upsampleConcat'; coarse: Expected; fine: Expected };

/** A layer that has weights. */
export type ConvLayer = Extract<Expected, { shape: ConvShape }>;

/** Describes the outputs of a network of this architecture, down to the image. */
export const expectedOutputs = (architecture: Architecture): LevelOutput<Expected>[] =>
  yolox(layers, { kind: 'image' }, architecture);

const layers: Layers<Expected> = {
  focus: (x) => ({ kind: 'focus', x }),
  convBnSilu: (x, name, shape) => ({ kind: 'convBnSilu', name, shape, x }),
  conv: (x, name, shape) => ({ kind: 'conv', name, shape, x }),
  concat: (xs) => ({ kind: 'concat', xs }),
  add: (a, b) => ({ kind: 'add', a, b }),
  spp: (x) => ({ kind: 'spp', x }),
  upsampleConcat: (coarse, fine) => ({ kind: 'upsampleConcat', coarse, fine }),
};
