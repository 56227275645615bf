import { Random } from '../../src/base/random.js';
import { configSchema } from '../../src/config/schema.js';
import type { Architecture } from '../../src/model/network.js';
import { parameters } from '../../src/model/parameters.js';
import type { TrainOptions } from '../../src/model/train_state.js';
import { initialWeights } from '../../src/model/weights/init.js';
import { elements, type Weights } from '../../src/model/weights/weights.js';

/** Trainings of a few steps, made of nothing but random numbers, which PyTorch repeats (make_train_state.ts). */
export interface TrainCase {
  name: string;
  /**
   * So small that the steps hardly feed back on each other: a relative error of the weights of 1e-7 comes out below
   * 1e-4 in every figure, where golden/train.test.ts shows what larger rates do to it.
   */
  lr: number;
  options: TrainOptions;
}

/** Weight decay and EMA are set so that they show in a few steps. */
const { train } = configSchema.parse({ train: { optimizer: { weightDecay: 0.05 }, ema: { ramp: 4 } } });
const options: TrainOptions = { ...train, fixedBatchNorm: false };

export const cases: TrainCase[] = [
  { name: 'sgd', lr: 1e-5, options },
  {
    name: 'adam_frozen',
    lr: 1e-5,
    options: { ...options, optimizer: { ...train.optimizer, name: 'adam' }, freeze: 'backbone' },
  },
];

export const architecture: Architecture = { depth: 0.33, width: 0.125, depthwise: false, classes: 5 };
export const L1_FROM_STEP = 2;
/** [steps,N,3,H,W] */
export const IMAGES = [4, 2, 3, 128, 128] as const;
/** [steps,N,M,5] */
export const LABELS = [4, 2, 8, 5] as const;
const SEED = +(process.env.S ?? 1);

/** Initial weights whose batch norms have been somewhere already: a frozen one uses what it has stored. */
export function startingWeights(): Weights {
  const weights = initialWeights(architecture, SEED);
  const ranges: Record<string, [number, number]> = {
    'bn.weight': (process.env.G ?? '.5,1.5').split(',').map(Number) as any,
    'bn.bias': (process.env.B ?? '-.5,.5').split(',').map(Number) as any,
    'bn.running_mean': [-0.1, 0.1],
    'bn.running_var': [0.1, 0.3],
  };
  for (const { name, kind, shape } of parameters(architecture)) {
    if (!(kind in ranges)) continue;
    const random = new Random(SEED, name);
    weights.set(name, { shape, data: Float32Array.from({ length: shape[0] }, () => random.uniform(...ranges[kind])) });
  }
  return weights;
}

/** Noise with mean 0 and deviation about 1, NCHW. */
export function randomImages(): Float32Array {
  const random = new Random(SEED, 'images');
  return Float32Array.from({ length: elements(IMAGES) }, () => random.uniform(-2, 2));
}

/** One to five objects a picture, small and large; the rest of the rows are empty. */
export function randomLabels(): Float32Array {
  const random = new Random(SEED, 'labels');
  const [steps, batch, rows, columns] = LABELS;
  const side = IMAGES[4];
  const labels = new Float32Array(elements(LABELS));
  for (let picture = 0; picture < steps * batch; picture++) {
    for (let row = random.int(0, 4); row >= 0; row--) {
      const centre = [random.uniform(8, side - 8), random.uniform(8, side - 8)];
      const size = 2 ** random.uniform(3, 6);
      const object = [random.int(0, 4), ...centre, size, size * random.uniform(0.5, 2)];
      labels.set(object, (picture * rows + row) * columns);
    }
  }
  return labels;
}
