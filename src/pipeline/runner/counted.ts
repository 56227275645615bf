import { CONFIG_KEYS } from '../../config/keys.js';
import type { Config } from '../../config/schema.js';
import type { StepName } from './step.js';

/** Values of configuration keys, by key. */
export type Settings = Record<string, unknown>;

/** Sections of the configuration that affect the outputs of each step. */
const SECTIONS: Record<StepName, readonly string[]> = {
  'data-load': ['data'],
  'data-prep': ['prep'],
  'model-train': ['model', 'train'],
  'model-pack': ['pack'],
  'model-eval': ['eval'],
  'model-test': ['test', 'serve'],
};

/** Keys of files and folders: their contents count instead (see sources.ts). */
const BY_CONTENT = ['data.images', 'data.annotations', 'train.weights', 'test.baseline'];

/** Checks of inputs, made every time. */
const CHECKS = ['data.imagesSha256', 'data.annotationsSha256'];

/** How a result is reported and judged; changing these repeats only that, not the work. */
const SHOWN: Record<StepName, readonly string[]> = {
  'data-load': [],
  'data-prep': [],
  'model-train': [],
  'model-pack': [],
  'model-eval': ['eval.minMap50', 'eval.images'],
  'model-test': ['test.gate'],
};

/** How the work is done and where a service listens; the outputs stay the same. */
const INDIFFERENT = [
  'train.workers',
  'train.threads',
  'train.cacheMb',
  'serve.host',
  'serve.port',
  'serve.urlHosts',
  'serve.urlTimeout',
  'serve.maxFiles',
  'serve.adminToken',
  'serve.bundles',
  'serve.apiKeys',
  'serve.apiKeysFile',
  'serve.openMetrics',
  'serve.cors',
  'serve.trustedProxies',
  'serve.startTimeout',
  'serve.logLevel',
  'serve.otlp',
];

/**
 * Settings that decide which epoch is best but change no weights, so that retraining is not worthwhile.
 * `train.validateEvery` also decides when training with `train.patience` stops, and then counts.
 */
const CHOICE_OF_BEST = ['eval.confidence', 'eval.iou', 'eval.maxDetections'];

/** Settings that affect the outputs of a step; changing one requires a new run. */
export function countedSettings(step: StepName, config: Config): Settings {
  const never = new Set([...BY_CONTENT, ...CHECKS, ...SHOWN[step], ...INDIFFERENT, ...withoutEffect(config)]);
  return pick(config, (key) => SECTIONS[step].some((section) => key.startsWith(`${section}.`)) && !never.has(key));
}

/** Settings for reporting and judging a step's outputs. */
export function shownSettings(step: StepName, config: Config): Settings {
  return pick(config, (key) => SHOWN[step].includes(key));
}

/** Settings that have changed since a finished step ran but do not repeat it; they are worth a message. */
export function ignoredSettings(step: StepName, config: Omit<Config, 'store'>): Settings {
  if (step !== 'model-train') return {};
  return pick(config, (key) => CHOICE_OF_BEST.includes(key) || (key === 'train.validateEvery' && !stopsEarly(config)));
}

const stopsEarly = ({ train }: Pick<Config, 'train'>): boolean => train.patience !== null;

/** Keys that have no effect with the rest of the configuration. */
function withoutEffect({ data, train }: Config): string[] {
  const [used, unused] = [`data.${data.source}.`, 'data.builtin.'];
  return CONFIG_KEYS.filter((key) => {
    if (key === 'train.validateEvery') return train.patience === null;
    if (key === 'data.source' || !key.startsWith('data.')) return false;
    return data.source === 'builtin' ? !key.startsWith(used) : key.startsWith(unused);
  });
}

function pick(config: object, test: (key: string) => boolean): Settings {
  return Object.fromEntries(CONFIG_KEYS.filter(test).map((key) => [key, valueAt(config, key)]));
}

function valueAt(config: object, key: string): unknown {
  return key.split('.').reduce<unknown>((node, part) => (node as Settings)[part], config);
}
