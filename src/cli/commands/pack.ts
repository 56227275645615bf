import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { UserError } from '../../base/errors.js';
import { makeDir, readJson } from '../../base/files.js';
import { refuseReplacing } from '../../base/outputs.js';
import { CONFIG_KEYS, environmentName } from '../../config/keys.js';
import { type Config, text } from '../../config/schema.js';
import { BUNDLE_FILE } from '../../detect/bundle.js';
import { TUNING_FILE } from '../../detect/tuning.js';
import { defineCommand } from '../command.js';
import { DECODE_KEYS } from '../config_options.js';
import { printResult } from '../shared.js';
import { describeCheck, toOpenOptions, weightsOptions } from './weights_options.js';

/** Keys of what a bundle declares, except the checkpoint, which is given as a file, and of the limits of images. */
const PACK_KEYS = [
  ...CONFIG_KEYS.filter((key) => key.startsWith('pack.') && key !== 'pack.checkpoint'),
  ...DECODE_KEYS,
];

/** Longer side of the image drawn when none is given. */
const DRAWN_SIDE = 640;

export const packCommand = defineCommand({
  command: 'pack',
  describe: 'Make a bundle from any weights, to serve them without training',
  options: {
    weights: text.describe('Weights: .safetensors, .pth or .onnx'),
    out: text.describe('Folder of the bundle; an existing bundle is replaced'),
    image: z
      .array(text)
      .default([])
      .describe(
        'Candidates for the test image: the one with the most confident objects is used. Without any, one is drawn',
      ),
    ...weightsOptions,
  },
  config: { keys: PACK_KEYS, short: { name: ['pack.name', "Name of the model [default: the file's]"] } },
  examples: [
    ['pack --weights yolox_s.pth --image dog.jpg --out yolox-s --pack.version 2', 'Package COCO weights'],
    ['serve yolox-s', 'Serve them'],
  ],
  epilogue: `These configuration keys are also flags: ${PACK_KEYS.map((key) => `--${key}`).join(', ')}.`,
  async handler(args, { given, config }) {
    const { pack: settings, data } = await config();
    const named = given.has('pack.name') || given.has('config') || process.env[environmentName('pack.name')];
    await pack(args, { ...settings, name: (named ? undefined : nameOf(args.weights)) ?? settings.name }, data);
  },
});

interface PackArgs {
  weights: string;
  out: string;
  image: string[];
  size?: [number, number];
  legacy?: boolean;
  classes?: string;
  json: boolean;
}

async function pack(
  args: PackArgs,
  settings: Config['pack'],
  { maxPixels, decodeTimeout }: Config['data'],
): Promise<void> {
  const bundle = resolve(args.out);
  await refuseReplacing(bundle, [args.weights, ...args.image]);
  if (existsSync(bundle) && !(await isBundleAlone(bundle))) {
    throw new UserError({
      where: '--out',
      expected: 'a new folder, or a folder that holds only a bundle',
      received: args.out,
    });
  }
  const { openNetwork } = await import('../../model/weights/open.js');
  const { categoriesOf } = await import('../../model/tf_detector.js');
  const { packBundle } = await import('../../pipeline/packing/pack_bundle.js');
  const network = await openNetwork(args.weights, await toOpenOptions(args));
  await makeDir(dirname(bundle));
  const drawn = await mkdtemp(join(tmpdir(), 'yolox-pack-'));
  try {
    const images = args.image.length > 0 ? args.image : [await drawImage(drawn)];
    const limits = { maxPixels, decodeTimeout };
    const parts = { network, categories: categoriesOf(network, args.weights), images, limits, settings };
    const packed = await packBundle(bundle, { ...parts, weightsPath: args.weights });
    const test = { test_image: args.image[packed.test_image] ?? null };
    const result = { bundle, ...packed, ...test, ...(network.check && { source_check: network.check }) };
    const lines = [
      `written        ${args.out}`,
      `test image     ${test.test_image ?? 'drawn'}, ${packed.detections} objects found`,
      ...describeCheck(network.check),
      `serve it       npx yolox-node serve ${args.out}`,
    ];
    printResult(result, lines.join('\n'), args);
  } finally {
    await rm(drawn, { recursive: true });
  }
}

/** Whether a folder holds a bundle and nothing else that replacing it would delete. */
async function isBundleAlone(dir: string): Promise<boolean> {
  const manifest = await readJson<{ files?: object }>(join(dir, BUNDLE_FILE)).catch(() => undefined);
  const own = new Set([BUNDLE_FILE, TUNING_FILE, ...Object.keys(manifest?.files ?? {})]);
  return manifest !== undefined && (await readdir(dir)).every((name) => own.has(name));
}

/** A valid bundle name from a file name: `YOLOX_Nano v1.onnx` gives `yolox_nano-v1`. */
function nameOf(file: string): string | undefined {
  const name = basename(file)
    .toLowerCase()
    .replace(/\.[^.]*$/, '')
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '');
  return name || undefined;
}

async function drawImage(dir: string): Promise<string> {
  const { generateBuiltin } = await import('../../data/builtin/index.js');
  const path = join(dir, 'drawn.jpg');
  for await (const { bytes } of generateBuiltin({ images: 1, side: DRAWN_SIDE, seed: 1 })) await writeFile(path, bytes);
  return path;
}
