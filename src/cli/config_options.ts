import type { Argv } from 'yargs';
import { CONFIG_KEYS } from '../config/keys.js';
import { loadConfig } from '../config/load.js';
import type { Config } from '../config/schema.js';

/** Short flags for the keys that are set most often. */
const SHORT = {
  images: ['data.images', 'Folder, zip or URL of the pictures'],
  annotations: ['data.annotations', 'COCO instances JSON'],
  weights: ['train.weights', 'Weights to start from: .safetensors, .pth or .onnx'],
  epochs: ['train.epochs', 'Epochs to train'],
  batch: ['train.batch', 'Pictures in a batch'],
  store: ['store', 'Folder of the store'],
} as const;

/** Every flag that sets a configuration key. */
export const FLAGS: readonly string[] = [...Object.keys(SHORT), ...CONFIG_KEYS];

interface ConfigFlags {
  config?: string;
  [flag: string]: unknown;
}

/** `--config FILE`, a few short flags, and every configuration key as a flag of its own (`--train.optimizer.lr 0.01`). */
export function configOptions<T>(yargs: Argv<T>) {
  let options = yargs
    .option('config', {
      type: 'string',
      describe: 'Configuration file, or the name of a preset (yolox-s, quickstart, …)',
    })
    .epilogue(
      'Every configuration key is a flag as well (--train.epochs 10; see --show-hidden) and an environment\nvariable (YOLOX_TRAIN_EPOCHS=10).',
    );
  for (const [flag, [, describe]] of Object.entries(SHORT)) {
    options = options.option(flag, { type: 'string', requiresArg: true, describe });
  }
  for (const key of CONFIG_KEYS) {
    if (!(key in SHORT))
      options = options.option(key, { type: 'string', requiresArg: true, hidden: true, group: 'Configuration:' });
  }
  return options;
}

/** The configuration that the flags, the environment and the file give. */
export async function configFrom(args: ConfigFlags): Promise<Config> {
  const flags: Record<string, string> = {};
  for (const key of CONFIG_KEYS) {
    if (typeof args[key] === 'string') flags[key] = args[key];
  }
  for (const [flag, [key]] of Object.entries(SHORT)) {
    if (typeof args[flag] === 'string') flags[key] = args[flag];
  }
  // Whoever names pictures means COCO, unless they say otherwise.
  if (flags['data.images'] && !flags['data.source']) flags['data.source'] = 'coco';
  return loadConfig({ file: args.config, flags });
}
