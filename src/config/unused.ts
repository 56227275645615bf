import type { Config } from './schema.js';

/** Keys that have an effect only for certain values of another key. */
export interface DependentKeys {
  keys: readonly string[];
  acts(config: Config): boolean;
  /** What they need, for the error message. */
  words: string;
}

/** Every key that may have no effect, apart from combinations of numbers. A test covers each of them. */
export const DEPENDENT_KEYS: readonly DependentKeys[] = [
  {
    keys: ['data.builtin.images', 'data.builtin.side', 'data.builtin.seed'],
    acts: ({ data }) => data.source === 'builtin',
    words: 'data.source builtin',
  },
  {
    keys: ['data.imagesSha256'],
    acts: ({ data }) => data.images !== null,
    words: 'data.images',
  },
  {
    keys: ['data.annotationsSha256'],
    acts: ({ data }) => data.annotations !== null,
    words: 'data.annotations',
  },
  {
    keys: ['train.freeze'],
    acts: ({ train }) => train.weights !== null,
    words: 'train.weights',
  },
  {
    keys: ['train.multiscaleEvery'],
    acts: ({ train }) => train.multiscale > 0,
    words: 'train.multiscale above 0',
  },
  {
    keys: ['train.optimizer.momentum', 'train.optimizer.nesterov'],
    acts: ({ train }) => train.optimizer.name === 'sgd',
    words: 'train.optimizer.name sgd',
  },
  {
    keys: ['train.optimizer.betas'],
    acts: ({ train }) => train.optimizer.name === 'adam',
    words: 'train.optimizer.name adam',
  },
  {
    keys: ['train.schedule.warmupEpochs', 'train.schedule.warmupLr'],
    acts: ({ train }) => train.schedule.name !== 'cos',
    words: 'train.schedule.name yoloxwarmcos or warmcos',
  },
  {
    keys: ['train.schedule.minLrRatio'],
    acts: ({ train }) => train.schedule.name === 'yoloxwarmcos',
    words: 'train.schedule.name yoloxwarmcos',
  },
  {
    keys: ['train.schedule.warmupLr'],
    acts: ({ train }) => train.schedule.warmupEpochs > 0,
    words: 'train.schedule.warmupEpochs above 0',
  },
  {
    keys: [
      'train.augment.mixup',
      'train.augment.degrees',
      'train.augment.scale',
      'train.augment.shear',
      'train.augment.translate',
    ],
    acts: ({ train }) => train.augment.mosaic > 0,
    words: 'train.augment.mosaic above 0',
  },
  {
    keys: ['train.augment.mixupScale'],
    acts: ({ train }) => train.augment.mixup > 0 && train.augment.mosaic > 0,
    words: 'train.augment.mosaic and train.augment.mixup above 0',
  },
  {
    keys: ['train.ema.decay', 'train.ema.ramp'],
    acts: ({ train }) => train.ema.enabled,
    words: 'train.ema.enabled',
  },
  {
    keys: ['test.gate'],
    acts: ({ test }) => test.baseline !== null,
    words: 'test.baseline',
  },
  {
    keys: ['serve.urlTimeout'],
    acts: ({ serve }) => serve.urlHosts.length > 0,
    words: 'serve.urlHosts',
  },
  {
    keys: ['serve.bundles'],
    acts: ({ serve }) => serve.adminToken !== null,
    words: 'serve.adminToken',
  },
  {
    keys: ['serve.openMetrics'],
    acts: ({ serve }) => serve.apiKeys.length > 0 || serve.apiKeysFile !== null,
    words: 'serve.apiKeys or serve.apiKeysFile',
  },
];
