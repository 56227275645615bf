import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import type { CommandModule } from 'yargs';
import { UserError } from '../base/errors.js';
import { makeDir } from '../base/files.js';
import { CONFIG_KEYS } from '../config/keys.js';
import { configFrom } from './config_options.js';
import { jsonOption, printResult } from './shared.js';
import { toOpenOptions, weightsOptions } from './weights_options.js';

interface PackArgs {
  weights: string;
  out: string;
  image: string[];
  name?: string;
  config?: string;
  size?: number[];
  legacy?: boolean;
  json: boolean;
  [flag: string]: unknown;
}

/** What a bundle declares; the checkpoint is given as a file here. */
const PACK_KEYS = CONFIG_KEYS.filter((key) => key.startsWith('pack.') && key !== 'pack.checkpoint');

const TEXT_KEYS = ['pack.name', 'pack.version', 'pack.license'];

/** Longer side of the picture drawn when none is given. */
const DRAWN_SIDE = 640;

export const packCommand: CommandModule<object, PackArgs> = {
  command: 'pack',
  describe: 'Make a bundle of any weights, to serve them without training',
  builder(yargs) {
    const options = weightsOptions(jsonOption(yargs))
      .option('weights', { type: 'string', demandOption: true, describe: 'Weights: .safetensors, .pth or .onnx' })
      .option('out', { type: 'string', demandOption: true, describe: 'Folder of the bundle; one there is replaced' })
      .option('image', {
        type: 'string',
        array: true,
        default: [],
        describe: 'Pictures; the one with the most sure objects becomes the test image. One is drawn when absent',
      })
      .option('name', { type: 'string', requiresArg: true, describe: "Name of the model [default: the file's]" })
      .option('config', { type: 'string', describe: 'Configuration file, or the name of a preset' })
      .example('$0 pack --weights yolox_s.pth --image dog.jpg --out yolox-s --pack.version 2', 'COCO weights')
      .example('$0 serve yolox-s', 'Serve them')
      .epilogue(`Configuration keys are flags as well: ${PACK_KEYS.map((key) => `--${key}`).join(', ')}.`);
    return PACK_KEYS.reduce(
      (all, key) => all.option(key, { type: 'string', requiresArg: true, hidden: true }),
      options,
    ) as never;
  },
  handler: pack,
};

async function pack(args: PackArgs): Promise<void> {
  const name = args.name ?? (args.config === undefined ? nameOf(args.weights) : undefined);
  const { pack: settings } = await configFrom({ 'pack.name': name, ...quoted(args), weights: undefined });
  const bundle = resolve(args.out);
  if (existsSync(bundle) && !existsSync(join(bundle, 'bundle.json'))) {
    throw new UserError({
      where: '--out',
      expected: 'a new folder, or that of a bundle to replace',
      received: args.out,
    });
  }
  const { openNetwork } = await import('../model/weights/open.js');
  const { categoriesOf } = await import('../pipeline/weights_detector.js');
  const { packBundle } = await import('../pipeline/pack_bundle.js');
  const network = await openNetwork(args.weights, toOpenOptions(args));
  await makeDir(dirname(bundle));
  const drawn = await mkdtemp(join(tmpdir(), 'yolox-pack-'));
  try {
    const pictures = args.image.length > 0 ? args.image : [await drawPicture(drawn)];
    const parts = { network, categories: categoriesOf(network, args.weights), pictures, settings };
    const packed = await packBundle(bundle, { ...parts, weightsPath: args.weights });
    const result = { bundle, ...packed, test_image: args.image[packed.test_image] ?? null };
    const { detections } = packed;
    const text = `written        ${args.out}\ntest image     ${result.test_image ?? 'drawn'}, ${detections} objects found`;
    printResult(result, `${text}\nserve it       npx yolox serve ${args.out}`, args);
  } finally {
    await rm(drawn, { recursive: true });
  }
}

/** Flags are read as YAML, where version 7 would be a number. */
function quoted(args: PackArgs) {
  const texts = TEXT_KEYS.filter((key) => typeof args[key] === 'string');
  return { ...args, ...Object.fromEntries(texts.map((key) => [key, JSON.stringify(args[key])])) };
}

/** A name as bundles have them: `YOLOX_Nano v1.onnx` gives `yolox_nano-v1`. */
function nameOf(file: string): string | undefined {
  const name = basename(file)
    .toLowerCase()
    .replace(/\.[^.]*$/, '')
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '');
  return name || undefined;
}

async function drawPicture(dir: string): Promise<string> {
  const { generateBuiltin } = await import('../data/builtin/index.js');
  const path = join(dir, 'drawn.jpg');
  for await (const { bytes } of generateBuiltin({ pictures: 1, side: DRAWN_SIDE, seed: 1 }))
    await writeFile(path, bytes);
  return path;
}
