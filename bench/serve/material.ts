import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { log } from '../../src/base/progress.js';
import type { Architecture } from '../../src/config/network.js';
import { preprocessSchema } from '../../src/config/preprocess.js';
import { generateBuiltin } from '../../src/data/builtin/index.js';
import { COCO_CLASSES } from '../../src/detect/categories.js';
import type { Goal } from '../../src/detect/tuning.js';
import { checkpointMetadata } from '../../src/model/weights/checkpoint.js';
import { initialWeights } from '../../src/model/weights/init.js';
import { writeSafetensors } from '../../src/model/weights/safetensors.js';
import { yolox } from './cli.js';
import type { Bench } from './plan.js';

const ROOT = resolve(import.meta.dirname, '../..');

/** Real images and weights, where there are any: a folder beside the checkout. */
const SHARED = process.env.YOLOX_SHARED ?? resolve(ROOT, '../shared');

export interface Bundle {
  name: string;
  dir: string;
  /** Of its ONNX file: what any server has to hold. */
  modelMb: number;
}

export interface Network {
  name: string;
  architecture: Architecture;
  side: number;
  /** Pretrained weights beside the checkout. */
  weights?: string;
  /** Sure enough that untrained weights find next to nothing. */
  confidence: number;
}

const classes = COCO_CLASSES.length;

export const NANO: Network = {
  name: 'YOLOX-nano 416²',
  architecture: { depth: 0.33, width: 0.25, depthwise: true, classes },
  side: 416,
  weights: 'weights/yolox_nano.onnx',
  confidence: 0.25,
};

/** Untrained: the speed does not depend on the weights as long as few boxes are left to suppress. */
export const SMALL: Network = {
  name: 'YOLOX-S 640²',
  architecture: { depth: 0.33, width: 0.5, depthwise: false, classes },
  side: 640,
  confidence: 0.5,
};

/** Compiles the sources, so that the benchmark measures today's code. */
export function build(): void {
  const { status, stdout } = spawnSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, encoding: 'utf8' });
  if (status !== 0) log(`The sources do not compile without errors:\n${stdout.trim()}`);
}

/** Packs a network with `yolox-node pack` and lets `yolox-node tune` choose how it is run, as a user would; once for all parts. */
export async function makeBundle(
  { work, images, plan }: Pick<Bench, 'work' | 'images' | 'plan'>,
  network: Network,
  { version = '1', goal = 'throughput' }: { version?: string; goal?: Goal } = {},
): Promise<Bundle> {
  const dir = join(work, `${network.name.replace(/\W+/g, '-').toLowerCase()}-${version}-${goal}`);
  if (!existsSync(dir)) {
    const pretrained = network.weights === undefined ? undefined : join(SHARED, network.weights);
    const real = pretrained !== undefined && existsSync(pretrained);
    const weights = real ? pretrained : await untrained(`${dir}.safetensors`, network);
    log(`${network.name}: ${real ? 'pretrained' : 'untrained'} weights`);
    const settings = { name: 'bench', 'pack.version': version, 'pack.confidence': String(network.confidence) };
    const flags = Object.entries(settings).flatMap(([flag, value]) => [`--${flag}`, value]);
    yolox(['pack', '--weights', weights, '--image', images[0], '--out', dir, ...flags]);
    log(yolox(['tune', dir, '--goal', goal, '--seconds', String(plan.tune)]));
  }
  return { name: network.name, dir, modelMb: (await stat(join(dir, 'model.onnx'))).size / 1e6 };
}

async function untrained(path: string, { architecture, side }: Network): Promise<string> {
  const preprocess = preprocessSchema.parse({ size: [side, side] });
  const info = { architecture, preprocess, categories: [...COCO_CLASSES], source: 'untrained' };
  await writeSafetensors(path, initialWeights(architecture, 1), checkpointMetadata(info));
  return path;
}

/** JPEG files: photographs of COCO where there are some, else drawn images of 640×480. */
export async function findImages(work: string, count: number): Promise<string[]> {
  const photos = join(SHARED, 'coco/images');
  if (existsSync(photos)) {
    const names = (await readdir(photos)).filter((name) => name.endsWith('.jpg')).sort();
    log(`images: ${Math.min(count, names.length)} photographs of COCO`);
    return names.slice(0, count).map((name) => join(photos, name));
  }
  log(`images: ${count} drawn ones`);
  const dir = join(work, 'images');
  await mkdir(dir);
  const paths: string[] = [];
  for await (const { image, bytes } of generateBuiltin({ images: count, side: 640, seed: 1 })) {
    const path = join(dir, image.file_name);
    await writeFile(path, await sharp(bytes).resize(640, 480, { fit: 'cover' }).jpeg().toBuffer());
    paths.push(path);
  }
  return paths;
}
