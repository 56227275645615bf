import type { Architecture } from '../config/network.js';
import { type ConvShape, type Layers, yolox } from './network.js';

export interface Parameter {
  /** Megvii key, e.g. `backbone.backbone.dark2.0.conv.weight`. */
  name: string;
  /** PyTorch's shape: convolution weights are [out, in / groups, height, width]. */
  shape: number[];
  kind: 'weight' | 'bias' | 'bn.weight' | 'bn.bias' | 'bn.running_mean' | 'bn.running_var';
}

/** Learnt by the optimiser; the rest are batch-norm statistics. */
export const isTrainable = ({ kind }: Parameter): boolean => !kind.startsWith('bn.running');

/** Every tensor of a network in the order of its layers. */
export function parameters(architecture: Architecture): Parameter[] {
  const found: Parameter[] = [];
  const weight = (name: string, { in: channels, out, kernel, groups = 1 }: ConvShape) =>
    found.push({ name, shape: [out, channels / groups, kernel, kernel], kind: 'weight' });
  const layers: Layers<null> = {
    focus: () => null,
    convBnSilu(_, name, shape) {
      weight(`${name}.conv.weight`, shape);
      for (const kind of ['weight', 'bias', 'running_mean', 'running_var'] as const) {
        found.push({ name: `${name}.bn.${kind}`, shape: [shape.out], kind: `bn.${kind}` });
      }
      return null;
    },
    conv(_, name, shape) {
      weight(`${name}.weight`, shape);
      found.push({ name: `${name}.bias`, shape: [shape.out], kind: 'bias' });
      return null;
    },
    concat: () => null,
    add: () => null,
    spp: () => null,
    upsampleConcat: () => null,
  };
  yolox(layers, null, architecture);
  return found;
}
