import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import { preprocessSchema } from '../../../src/config/preprocess.js';
import { checkpointMetadata } from '../../../src/model/weights/checkpoint.js';
import { initialWeights } from '../../../src/model/weights/init.js';
import { type OpenOptions, openNetwork } from '../../../src/model/weights/open.js';
import { writeSafetensors } from '../../../src/model/weights/safetensors.js';

const PICO = { depth: 0.33, width: 0.125, depthwise: false, classes: 2 };
const weights = initialWeights(PICO, 3);
const named = (...names: string[]) => names.map((name, i) => ({ id: i + 1, name }));

let dir: string;
const test = suite('an opened network');
test.before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'open-'));
});
test.after(() => rm(dir, { recursive: true }));

/** Opens a file that names these classes. */
async function open(names: OpenOptions['categories'], given: OpenOptions['categories']) {
  const path = join(dir, 'a.safetensors');
  const preprocess = preprocessSchema.parse({ size: [64, 64] });
  await writeSafetensors(path, weights, checkpointMetadata({ architecture: PICO, preprocess, categories: names }));
  return openNetwork(path, { categories: given });
}

async function refusal(...args: Parameters<typeof open>): Promise<string> {
  const error = await open(...args).catch((thrown: unknown) => thrown);
  assert.instance(error, UserError);
  return (error as UserError).message;
}

test('its classes are those of the file, or those given to one that has none', async () => {
  assert.is((await open(undefined, undefined)).categories, undefined);
  assert.equal((await open(undefined, named('cat', 'dog'))).categories, named('cat', 'dog'));
  const ours = [
    { id: 3, name: 'cat' },
    { id: 8, name: 'dog' },
  ];
  assert.equal((await open(ours, undefined)).categories, ours);
  assert.equal((await open(ours, named('cat', 'dog'))).categories, ours);
});

test('its classes are as many as the network has, and not others than the file names', async () => {
  assert.match(
    await refusal(undefined, named('cat')),
    /--classes: expected a name for each of the 2 classes of .*received "1: cat"/,
  );
  assert.match(
    await refusal(named('cat', 'dog'), named('dog', 'cat')),
    /--classes: expected the classes that .* names: cat, dog, received "dog, cat"\. Leave/,
  );
  assert.match(await refusal(named('cat'), undefined), /metadata\.categories: expected names of 2 classes/);
});

test('a network with modules of its own is refused, tensors beside it are not', async () => {
  const path = join(dir, 'more.safetensors');
  const extra = (name: string) => new Map([...weights, [name, { shape: [1], data: Float32Array.of(1) }]]);
  for (const name of ['backbone.attention.weight', 'backbone.backbone.dark2.0.conv.bias', 'head.scale']) {
    await writeSafetensors(path, extra(name));
    const error = await openNetwork(path).catch((thrown: unknown) => thrown);
    assert.instance(error, UserError);
    assert.match(
      (error as UserError).message,
      new RegExp(`only tensors of a YOLOX.*1 more: ${name}.*modules that yolox-node does not`),
    );
  }
  await writeSafetensors(path, extra('loss.scale'));
  assert.equal((await openNetwork(path)).report.unexpected, ['loss.scale']);
});

test.run();
