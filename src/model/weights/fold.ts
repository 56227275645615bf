import { BATCH_NORM_EPSILON } from '../../config/network.js';
import { elements, tensorOf, type Weights, type WeightTensor } from './weights.js';

/** A convolution that does the work of its batch norm too. */
export interface FoldedConv {
  weight: WeightTensor;
  bias: WeightTensor;
}

/** Convolution `name.conv` with batch norm `name.bn` folded in: w·γ/√(σ²+ε), β − μ·γ/√(σ²+ε). */
export function foldBatchNorm(weights: Weights, name: string): FoldedConv {
  const { shape, data } = tensorOf(weights, `${name}.conv.weight`);
  const [gamma, beta, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map(
    (part) => tensorOf(weights, `${name}.bn.${part}`).data,
  );
  const scale = Float64Array.from(gamma, (value, i) => value / Math.sqrt(variance[i] + BATCH_NORM_EPSILON));
  const filter = elements(shape.slice(1));
  return {
    weight: { shape, data: data.map((value, i) => value * scale[Math.floor(i / filter)]) },
    bias: { shape: [shape[0]], data: beta.map((value, i) => value - mean[i] * scale[i]) },
  };
}

/** Puts a folded convolution into `weights` under `name`: its batch norm does nothing but add the bias. */
export function setFolded(weights: Weights, name: string, { weight, bias }: FoldedConv): void {
  const channels = (value: number) => ({ shape: bias.shape, data: new Float32Array(bias.data.length).fill(value) });
  weights.set(`${name}.conv.weight`, weight);
  weights.set(`${name}.bn.weight`, channels(1));
  weights.set(`${name}.bn.bias`, bias);
  weights.set(`${name}.bn.running_mean`, channels(0));
  weights.set(`${name}.bn.running_var`, channels(1 - BATCH_NORM_EPSILON));
}

/** Whether the batch norms of `weights` hold no statistics of their own, having been folded into the convolutions. */
export function isFolded(weights: Weights): boolean {
  const variance = Math.fround(1 - BATCH_NORM_EPSILON);
  const statistics = [...weights].filter(([name]) => /\.bn\.running_(mean|var)$/.test(name));
  return (
    statistics.length > 0 &&
    statistics.every(([name, { data }]) => data.every((value) => value === (name.endsWith('mean') ? 0 : variance)))
  );
}
