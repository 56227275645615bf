import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import { readJson } from '../../../src/base/files.js';
import { packCommand } from '../../../src/cli/commands/pack.js';
import { runCommandLine } from '../../../src/cli/parser.js';
import { preprocessSchema } from '../../../src/config/preprocess.js';
import { type BundleManifest, readBundle } from '../../../src/detect/bundle.js';
import { checkpointMetadata } from '../../../src/model/weights/checkpoint.js';
import { initialWeights } from '../../../src/model/weights/init.js';
import { writeSafetensors } from '../../../src/model/weights/safetensors.js';
import { randomJpeg } from '../../serve/make_bundle.js';
import { shared, suiteNeeding } from '../../support/shared.js';

const test = suite('yolox-node pack');
const PICO = { depth: 0.33, width: 0.125, depthwise: false, classes: 2 };
const categories = ['cat', 'dog'].map((name, i) => ({ id: i + 1, name }));
let root: string;

const setUp = async () => {
  root = await mkdtemp(join(tmpdir(), 'yolox-pack-test-'));
};
const tearDown = () => rm(root, { recursive: true });
test.before.each(setUp);
test.after.each(tearDown);

async function weightsOf(classes: number, named = true): Promise<string> {
  const path = join(root, 'My Weights.safetensors');
  const architecture = { ...PICO, classes };
  const preprocess = preprocessSchema.parse({ size: [64, 64] });
  const info = { architecture, preprocess, source: 'a test', ...(named && { categories }) };
  await writeSafetensors(path, initialWeights(architecture, 1), checkpointMetadata(info));
  return path;
}

interface Packed {
  bundle: string;
  test_image: string | null;
  detections: number;
  source_check?: { difference: number };
}

/** What the command prints as JSON. */
async function pack(...args: string[]): Promise<Packed> {
  let printed = '';
  const { log } = console;
  console.log = (line: string) => {
    printed = line;
  };
  try {
    await runCommandLine(['pack', ...args, '--json'], [packCommand]);
  } finally {
    console.log = log;
  }
  return JSON.parse(printed);
}

async function refusal(...args: string[]): Promise<string> {
  const error = await pack(...args).catch((thrown: unknown) => thrown);
  assert.instance(error, UserError);
  return (error as UserError).message;
}

test('a drawn test image, a name from the file, and the classes the file names', async () => {
  const out = join(root, 'deep', 'bundle');
  const { bundle, test_image } = await pack('--weights', await weightsOf(2), '--out', out);
  assert.equal([bundle, test_image], [out, null]);
  const { name, version, categories: served } = await readBundle(bundle);
  assert.equal([name, version, served], ['my-weights', '1', categories]);
  assert.equal(await readdir(join(root, 'deep')), ['bundle']);
});

test('an image and settings that are given; a bundle that is there is replaced', async () => {
  const out = join(root, 'bundle');
  const image = join(root, 'image.jpg');
  await writeFile(image, await randomJpeg(1));
  const weights = ['--weights', await weightsOf(2), '--out', out];
  await pack(...weights);
  const settings = ['--name', 'pets', '--pack.version', '7', '--pack.confidence', '0.4'];
  const { test_image } = await pack(...weights, '--image', image, ...settings);
  assert.is(test_image, image);
  const { name, version, thresholds } = await readJson<BundleManifest>(join(out, 'bundle.json'));
  assert.equal([name, version, thresholds.confidence], ['pets', '7', 0.4]);
});

test('a folder that is no bundle is left alone', async () => {
  const out = join(root, 'mine');
  await mkdir(out);
  await writeFile(join(out, 'thesis.tex'), 'years of work');
  assert.match(await refusal('--weights', await weightsOf(2), '--out', out), /--out: expected a new folder/);
  assert.equal(await readdir(out), ['thesis.tex']);
});

test('classes without names, and an image that is none, are refused; nothing is left behind', async () => {
  const out = join(root, 'bundle');
  assert.match(await refusal('--weights', await weightsOf(3, false), '--out', out), /3 unnamed classes/);
  const image = join(root, 'image.jpg');
  await writeFile(image, 'no image');
  assert.match(await refusal('--weights', await weightsOf(2), '--image', image, '--out', out), /image\.jpg/);
  assert.not.ok(existsSync(out) || existsSync(`${out}.tmp`));
});

test.run();

const NANO = shared('weights/yolox_nano.onnx');
const DOG = shared('photos/dog.jpg');
const realTest = suiteNeeding('yolox-node pack, real', [NANO, DOG]);
realTest.before.each(setUp);
realTest.after.each(tearDown);

realTest('pretrained weights find the dog', async () => {
  const out = join(root, 'nano');
  const { detections, source_check } = await pack('--weights', NANO, '--image', DOG, '--out', out);
  assert.ok(detections >= 3);
  assert.ok(source_check && source_check.difference < 1e-3, 'compared with the file it was made of');
  assert.is((await readBundle(out)).name, 'yolox_nano');
});

realTest.run();
