import { CONFIG_KEYS } from '../config/keys.js';
import { loadConfig } from '../config/load.js';
import type { Config } from '../config/schema.js';

/** Configuration keys that a command accepts as flags, besides `--config FILE`. */
export interface ConfigFlags {
  /** Keys that are flags by their own name, `--train.epochs`; hidden in the help. */
  keys: readonly string[];
  /** Flags of another name: `epochs: ['train.epochs', 'Epochs to train']`. */
  short?: Record<string, readonly [key: string, describe: string]>;
}

/** A flag and the key it sets; `config` sets the file. */
export interface ConfigFlag {
  flag: string;
  key: string;
  /** Absent for flags that the short help hides. */
  describe?: string;
}

/** Every key, with short flags for the common ones. */
export const PIPELINE_FLAGS: ConfigFlags = {
  keys: CONFIG_KEYS,
  short: {
    images: ['data.images', 'Folder, zip or URL of the images'],
    annotations: ['data.annotations', 'COCO instances JSON'],
    weights: ['train.weights', 'Weights to start from: .safetensors, .pth or .onnx'],
    epochs: ['train.epochs', 'Epochs to train'],
    batch: ['train.batch', 'Images per batch'],
    store: ['store', 'Folder of the store'],
  },
};

/** Limits of images, for commands that read images which data-load has not checked. */
export const DECODE_KEYS: readonly string[] = ['data.maxPixels', 'data.decodeTimeout'];

export const PIPELINE_EPILOGUE =
  'Every configuration key is also a flag (--train.epochs 10; see --show-hidden) and an environment\nvariable (YOLOX_TRAIN_EPOCHS=10).';

/** The name of the flag of the configuration file. */
const FILE: ConfigFlag = {
  flag: 'config',
  key: 'config',
  describe: 'Configuration file, or the name of a preset (yolox-s, quickstart, …)',
};

/** All flags of a declaration, including `--config`. */
export function configFlags({ keys, short = {} }: ConfigFlags): ConfigFlag[] {
  return [
    FILE,
    ...Object.entries(short).map(([flag, [key, describe]]) => ({ flag, key, describe })),
    ...keys.filter((key) => !(key in short)).map((key) => ({ flag: key, key })),
  ];
}

/** The configuration that these flags, the environment and the file give. @throws UserError for a key given twice */
export async function loadGivenConfig(given: readonly (ConfigFlag & { value: string })[]): Promise<Config> {
  const file = given.find(({ key }) => key === FILE.key)?.value;
  const flags = given.filter(({ key }) => key !== FILE.key);
  return loadConfig({
    file,
    flags: Object.fromEntries(flags.map(({ key, value }) => [key, value])),
    flagNames: Object.fromEntries(flags.map(({ key, flag }) => [key, `--${flag}`])),
  });
}
