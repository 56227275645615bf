/** One tensor of a network in PyTorch's layout: convolution weights are [out, in / groups, height, width]. */
export interface WeightTensor {
  shape: number[];
  /** Row-major. */
  data: Float32Array;
}

/** The tensors of a network by Megvii key, e.g. `backbone.backbone.stem.conv.bn.running_var`. */
export type Weights = Map<string, WeightTensor>;

/**
 * The tensor of this name.
 * @throws RangeError if the weights lack it
 */
export function tensorOf(weights: Weights, name: string): WeightTensor {
  const tensor = weights.get(name);
  if (tensor === undefined) throw new RangeError(`no tensor ${name}`);
  return tensor;
}

/** Number of values of a tensor; 1 for a scalar's empty shape. */
export const elements = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

export const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((side, i) => side === b[i]);
