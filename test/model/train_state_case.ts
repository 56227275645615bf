import { Random } from '../../src/base/random.js';
import type { Architecture } from '../../src/config/network.js';
import { configSchema } from '../../src/config/schema.js';
import { parameters } from '../../src/model/parameters.js';
import type { TrainOptions } from '../../src/model/train_state.js';
import { initialWeights } from '../../src/model/weights/init.js';
import { elements, tensorOf, type Weights, type WeightTensor } from '../../src/model/weights/weights.js';
import type { Batches } from './train_steps.js';

/** A training made of random numbers alone, which PyTorch repeats (make_train_state.ts). */
export interface TrainCase {
  name: string;
  lr: number;
  options: TrainOptions;
}

// A decay and an average that show in four steps.
const { train } = configSchema.parse({ train: { optimizer: { weightDecay: 0.05 }, ema: { ramp: 4 } } });
const sgd: TrainOptions = { ...train, fixedBatchNorm: false };
const adam: TrainOptions = { ...sgd, optimizer: { ...train.optimizer, name: 'adam' } };

export const cases: TrainCase[] = [
  { name: 'sgd', lr: 0.01, options: sgd },
  { name: 'adam_frozen', lr: 0.001, options: { ...adam, freeze: 'backbone' } },
];

export const architecture: Architecture = { depth: 0.33, width: 0.125, depthwise: false, classes: 5 };
/** [steps,N,3,H,W] */
const IMAGES = [4, 2, 3, 128, 128] as const;
/** [steps,N,M,5] */
export const LABELS = [4, 2, 8, 5] as const;

const SEED = 2;
/**
 * Where the batch norms start. Their offsets keep SiLU near its straight part, without which the rounding of each
 * step grows up to a hundredfold in the next; and a frozen one needs statistics like those of its inputs.
 */
const BATCH_NORM: Record<string, [low: number, high: number]> = {
  'bn.weight': [0.5, 1],
  'bn.bias': [1, 2],
  'bn.running_mean': [-0.1, 0.1],
  'bn.running_var': [0.1, 0.3],
};

/** Initial weights with random batch norms. */
export function startingWeights(): Weights {
  const weights = initialWeights(architecture, SEED);
  for (const { name, kind } of parameters(architecture)) {
    if (!(kind in BATCH_NORM)) continue;
    const random = new Random(SEED, 'start', name);
    const { data } = tensorOf(weights, name);
    for (let i = 0; i < data.length; i++) data[i] = random.uniform(...BATCH_NORM[kind]);
  }
  return weights;
}

export const batches = (lr: number): Batches => ({
  images: randomImages(),
  shape: IMAGES,
  labels: randomLabels(),
  lr,
  l1FromStep: 2,
});

/** Noise of mean 0. */
function randomImages(): Float32Array {
  const random = new Random(SEED, 'images');
  return Float32Array.from({ length: elements(IMAGES) }, () => random.uniform(-2, 2));
}

/** Up to five objects an image, small and large; the other rows are empty. */
function randomLabels(): Float32Array {
  const random = new Random(SEED, 'labels');
  const [steps, images, rows, columns] = LABELS;
  const side = IMAGES[4];
  const labels = new Float32Array(elements(LABELS));
  for (let image = 0; image < steps * images; image++) {
    const objects = random.int(0, 5);
    for (let row = 0; row < objects; row++) {
      const centre = [random.uniform(8, side - 8), random.uniform(8, side - 8)];
      const size = 2 ** random.uniform(3, 6);
      const object = [random.int(0, architecture.classes - 1), ...centre, size, size * random.uniform(0.5, 2)];
      labels.set(object, (image * rows + row) * columns);
    }
  }
  return labels;
}

/** A run's result, small enough for the repository. */
export interface Summary {
  /** By step: total, IoU, objectness, class, L1. */
  losses: number[][];
  /** How far each tensor has moved, and its average. */
  weights: Record<string, Digest>;
  average: Record<string, Digest>;
}

/** Norm of a tensor, and its products with random vectors of ±1: as far off as the tensor itself, and much shorter. */
export type Digest = number[];
const PRODUCTS = 2;

export function summarize(losses: number[][], weights: Weights, average: Weights): Summary {
  const start = startingWeights();
  const moves = (end: Weights) =>
    Object.fromEntries([...start].map(([name, tensor]) => [name, digest(name, tensor, tensorOf(end, name))]));
  return { losses, weights: moves(weights), average: moves(average) };
}

function digest(name: string, { data: start }: WeightTensor, { data: end }: WeightTensor): Digest {
  const move = Float64Array.from(end, (value, i) => value - start[i]);
  const product = (_: unknown, k: number) => {
    const random = new Random('product', k, name);
    return move.reduce((sum, x) => sum + (random.chance(0.5) ? x : -x), 0);
  };
  return [Math.hypot(...move), ...Array.from({ length: PRODUCTS }, product)];
}
