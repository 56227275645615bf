import type { Config } from './schema.js';

/** Keys that act only where another key has certain values. */
export interface DependentKeys {
  keys: readonly string[];
  /** The keys they need: one of them with a value they act with. */
  needs: readonly string[];
  acts(config: Config): boolean;
  /** What they need, in words. */
  words: string;
}

/** Every key that can be without effect, but for combinations of numbers. A test goes through them. */
export const DEPENDENT_KEYS: readonly DependentKeys[] = [
  {
    keys: ['data.builtin.pictures', 'data.builtin.side', 'data.builtin.seed'],
    needs: ['data.source'],
    acts: ({ data }) => data.source === 'builtin',
    words: 'data.source builtin',
  },
  {
    keys: ['data.imagesSha256'],
    needs: ['data.images'],
    acts: ({ data }) => data.images !== null,
    words: 'data.images',
  },
  {
    keys: ['data.annotationsSha256'],
    needs: ['data.annotations'],
    acts: ({ data }) => data.annotations !== null,
    words: 'data.annotations',
  },
  {
    keys: ['train.multiscaleEvery'],
    needs: ['train.multiscale'],
    acts: ({ train }) => train.multiscale > 0,
    words: 'train.multiscale above 0',
  },
  {
    keys: ['train.optimizer.momentum', 'train.optimizer.nesterov'],
    needs: ['train.optimizer.name'],
    acts: ({ train }) => train.optimizer.name === 'sgd',
    words: 'train.optimizer.name sgd',
  },
  {
    keys: ['train.optimizer.betas'],
    needs: ['train.optimizer.name'],
    acts: ({ train }) => train.optimizer.name === 'adam',
    words: 'train.optimizer.name adam',
  },
  {
    keys: ['train.schedule.warmupEpochs', 'train.schedule.warmupLr'],
    needs: ['train.schedule.name'],
    acts: ({ train }) => train.schedule.name !== 'cos',
    words: 'train.schedule.name yoloxwarmcos or warmcos',
  },
  {
    keys: ['train.schedule.minLrRatio'],
    needs: ['train.schedule.name'],
    acts: ({ train }) => train.schedule.name === 'yoloxwarmcos',
    words: 'train.schedule.name yoloxwarmcos',
  },
  {
    keys: ['train.schedule.warmupLr'],
    needs: ['train.schedule.warmupEpochs'],
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
    needs: ['train.augment.mosaic'],
    acts: ({ train }) => train.augment.mosaic > 0,
    words: 'train.augment.mosaic above 0',
  },
  {
    keys: ['train.augment.mixupScale'],
    needs: ['train.augment.mixup', 'train.augment.mosaic'],
    acts: ({ train }) => train.augment.mixup > 0 && train.augment.mosaic > 0,
    words: 'train.augment.mosaic and train.augment.mixup above 0',
  },
  {
    keys: ['train.ema.decay', 'train.ema.ramp'],
    needs: ['train.ema.enabled'],
    acts: ({ train }) => train.ema.enabled,
    words: 'train.ema.enabled',
  },
  {
    keys: ['test.gate'],
    needs: ['test.baseline'],
    acts: ({ test }) => test.baseline !== null,
    words: 'test.baseline',
  },
  {
    keys: ['serve.urlTimeout'],
    needs: ['serve.urlHosts'],
    acts: ({ serve }) => serve.urlHosts.length > 0,
    words: 'serve.urlHosts',
  },
  {
    keys: ['serve.bundles'],
    needs: ['serve.adminToken'],
    acts: ({ serve }) => serve.adminToken !== null,
    words: 'serve.adminToken',
  },
  {
    keys: ['serve.openMetrics'],
    needs: ['serve.apiKeys', 'serve.apiKeysFile'],
    acts: ({ serve }) => serve.apiKeys.length > 0 || serve.apiKeysFile !== null,
    words: 'serve.apiKeys or serve.apiKeysFile',
  },
];
