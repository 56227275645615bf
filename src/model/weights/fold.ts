import { BATCH_NORM_EPSILON } from '../../config/network.js';
import { elements, tensorOf, type Weights, type WeightTensor } from './weights.js';

/** A convolution that includes its batch norm. */
export interface FoldedConv {
  weight: WeightTensor;
  bias: WeightTensor;
}

/** A batch norm; its vectors have one value per channel. */
export interface BatchNorm {
  gamma: Float32Array;
  beta: Float32Array;
  mean: Float32Array;
  variance: Float32Array;
  epsilon: number;
}

/** Folds batch norm `name.bn` into convolution `name.conv`. */
export function foldBatchNorm(weights: Weights, name: string): FoldedConv {
  const [gamma, beta, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map(
    (part) => tensorOf(weights, `${name}.bn.${part}`).data,
  );
  return fold(tensorOf(weights, `${name}.conv.weight`), { gamma, beta, mean, variance, epsilon: BATCH_NORM_EPSILON });
}

/** Folds a batch norm into the convolution before it, with bias b: w·γ/√(σ²+ε), β + (b − μ)·γ/√(σ²+ε). */
export function fold({ shape, data }: WeightTensor, norm: BatchNorm, bias?: WeightTensor): FoldedConv {
  const { gamma, beta, mean, variance, epsilon } = norm;
  const scale = Float64Array.from(gamma, (value, i) => value / Math.sqrt(variance[i] + epsilon));
  const filter = elements(shape.slice(1));
  return {
    weight: { shape, data: data.map((value, i) => value * scale[Math.floor(i / filter)]) },
    bias: {
      shape: [shape[0]],
      data: beta.map((value, i) => value + ((bias?.data[i] ?? 0) - mean[i]) * scale[i]),
    },
  };
}

/** Stores a folded convolution in `weights` under `name`, with a batch norm that only adds the bias. */
export function setFolded(weights: Weights, name: string, { weight, bias }: FoldedConv): void {
  const channels = (value: number) => ({ shape: bias.shape, data: new Float32Array(bias.data.length).fill(value) });
  weights.set(`${name}.conv.weight`, weight);
  weights.set(`${name}.bn.weight`, channels(1));
  weights.set(`${name}.bn.bias`, bias);
  weights.set(`${name}.bn.running_mean`, channels(0));
  weights.set(`${name}.bn.running_var`, channels(1 - BATCH_NORM_EPSILON));
}

/** Whether the batch norms of `weights` have no statistics, because they were folded into the convolutions. */
export function isFolded(weights: Weights): boolean {
  const variance = Math.fround(1 - BATCH_NORM_EPSILON);
  const statistics = [...weights].filter(([name]) => /\.bn\.running_(mean|var)$/.test(name));
  return (
    statistics.length > 0 &&
    statistics.every(([name, { data }]) => data.every((value) => value === (name.endsWith('mean') ? 0 : variance)))
  );
}
