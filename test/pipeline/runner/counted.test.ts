import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CONFIG_KEYS, isSecret } from '../../../src/config/keys.js';
import { type Config, configSchema } from '../../../src/config/schema.js';
import { countedSettings, shownSettings } from '../../../src/pipeline/runner/counted.js';
import { STEP_NAMES } from '../../../src/pipeline/runner/step.js';

const test = suite('counted settings');

/** Every key of the configuration by what a change of it does. A new key must be put where it belongs. */
const KEYS = {
  'runs data-load':
    'data.source data.strict data.maxPixels data.decodeTimeout data.builtin.images data.builtin.side data.builtin.seed',
  'runs data-prep':
    'prep.categories prep.split.train prep.split.val prep.split.test prep.keepEmpty prep.seed prep.crowd prep.nearDuplicates',
  'runs model-train': `
    model.depth model.width model.depthwise model.preprocess.size model.preprocess.color model.preprocess.scale
    model.preprocess.mean model.preprocess.std model.preprocess.pad train.freeze train.batchNorm train.epochs train.batch
    train.multiscale train.multiscaleEvery train.optimizer.name train.optimizer.lr train.optimizer.momentum
    train.optimizer.nesterov train.optimizer.betas train.optimizer.weightDecay train.optimizer.clipNorm
    train.schedule.name train.schedule.warmupEpochs train.schedule.warmupLr train.schedule.noAugEpochs
    train.schedule.minLrRatio train.augment.mosaic train.augment.mixup train.augment.mixupScale train.augment.degrees
    train.augment.scale train.augment.shear train.augment.translate train.augment.hsv train.augment.flip
    train.ema.enabled train.ema.decay train.ema.ramp train.assigner train.patience train.maxBoxes train.seed`,
  'runs model-pack': `
    pack.name pack.version pack.checkpoint pack.confidence pack.iou pack.maxDetections pack.agnostic pack.license`,
  'runs model-eval': 'eval.confidence eval.iou eval.maxDetections',
  'shown by model-eval': 'eval.minMap50 eval.images',
  'runs model-test': `
    serve.decodeTimeout test.seconds test.warmupSeconds test.connections test.minIou test.scoreTolerance test.sweep serve.maxBytes
    serve.maxPixels serve.maxSide serve.instances serve.threads serve.maxBatch serve.provider serve.queue serve.deadline
    serve.maxConnections serve.maxConnectionsPerClient serve.headersTimeout serve.requestTimeout serve.keepAliveTimeout`,
  'shown by model-test': 'test.gate',
  'by its content, or by where it leads': `
    store pipeline data.images data.annotations data.imagesSha256 data.annotationsSha256 train.weights test.baseline`,
  'runs nothing': `
    train.validateEvery train.threads train.workers train.cacheMb serve.host serve.port serve.maxFiles serve.urlHosts
    serve.urlTimeout serve.adminToken serve.bundles serve.apiKeys serve.apiKeysFile serve.openMetrics serve.cors
    serve.logLevel serve.otlp serve.trustedProxies serve.startTimeout`,
};

/** What a change of a key does, as in the table. */
function effectOf(key: string, configs: readonly Config[]): string {
  const counted = STEP_NAMES.filter((step) => configs.some((config) => key in countedSettings(step, config)));
  const shown = STEP_NAMES.filter((step) => configs.some((config) => key in shownSettings(step, config)));
  assert.ok(counted.length + shown.length <= 1, `${key} counts more than once`);
  if (counted.length > 0) return `runs ${counted[0]}`;
  return shown.length > 0 ? `shown by ${shown[0]}` : 'nothing';
}

test('each key makes the step run that it shapes, and no other', () => {
  const configs = [configSchema.parse({}), configSchema.parse({ data: { source: 'coco' } })];
  const placed = Object.entries(KEYS).flatMap(([effect, keys]) =>
    keys
      .trim()
      .split(/\s+/)
      .map((key) => [key, effect] as const),
  );
  const keys = placed.map(([key]) => key);
  assert.equal(
    CONFIG_KEYS.filter((key) => !keys.includes(key)),
    [],
    'put new keys into the table, where they belong',
  );
  assert.equal(
    keys.filter((key, i) => !CONFIG_KEYS.includes(key) || keys.indexOf(key) !== i),
    [],
    'take keys out that are no more',
  );
  for (const [key, effect] of placed) {
    const expected = effect.startsWith('runs model') || effect.startsWith('runs data') || effect.startsWith('shown');
    assert.is(effectOf(key, configs), expected ? effect : 'nothing', key);
  }
});

test('settings without effect do not count', () => {
  const builtin = countedSettings('data-load', configSchema.parse({}));
  assert.not.ok('data.maxPixels' in builtin);
  const coco = countedSettings('data-load', configSchema.parse({ data: { source: 'coco' } }));
  assert.not.ok('data.builtin.seed' in coco);
});

test('how often is validated counts where it decides when training stops', () => {
  const patient = configSchema.parse({ train: { patience: 3, validateEvery: 5 } });
  assert.is(countedSettings('model-train', patient)['train.validateEvery'], 5);
});

test('no secret is among what is stored', () => {
  for (const step of STEP_NAMES) {
    const keys = Object.keys({
      ...countedSettings(step, configSchema.parse({})),
      ...shownSettings(step, configSchema.parse({})),
    });
    assert.equal(
      keys.filter((key) => isSecret(key.split('.'))),
      [],
    );
  }
});

test.run();
