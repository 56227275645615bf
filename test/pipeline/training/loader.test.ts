import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import { Random } from '../../../src/base/random.js';
import { preprocessSchema } from '../../../src/config/preprocess.js';
import { configSchema } from '../../../src/config/schema.js';
import { decodeImage } from '../../../src/image/decode.js';
import { letterbox } from '../../../src/image/letterbox.js';
import { tf } from '../../../src/kernels/tf.js';
import type { Example } from '../../../src/pipeline/training/augment.js';
import { BatchLoader } from '../../../src/pipeline/training/loader.js';
import { explainWorkerError } from '../../../src/pipeline/training/worker_error.js';

interface Context {
  dir: string;
  examples: Example[];
}

const test = suite<Context>('batch loader');
const preprocess = preprocessSchema.parse({ size: [64, 96] });
const { train } = configSchema.parse({
  train: { batch: 2, workers: 1, multiscale: 1, multiscaleEvery: 2, maxBoxes: 4 },
});

/** Smaller than the input, larger, and much larger. */
const SIZES = [
  [40, 30],
  [120, 90],
  [50, 200],
  [700, 400],
];

test.before(async (context) => {
  context.dir = mkdtempSync(join(tmpdir(), 'loader-'));
  const random = new Random('loader');
  context.examples = SIZES.map(([width, height], i) => ({
    name: `photo ${i}.png`,
    path: join(context.dir, `${i}.png`),
    width,
    height,
    objects: [{ classIndex: i, bbox: [width / 4, height / 4, width / 2, height / 2] }],
  }));
  for (const { path, width, height } of context.examples) {
    const data = Uint8Array.from({ length: width * height * 3 }, () => random.int(0, 255));
    await sharp(data, { raw: { width, height, channels: 3 } }).toFile(path);
  }
});
test.after(({ dir }) => rmSync(dir, { recursive: true }));

/** The batches of an epoch as plain values. */
async function batches({ examples }: Context, config: typeof train, epoch: number, augmented: boolean) {
  const loader = new BatchLoader(examples, preprocess, config);
  const list: { shape: number[]; values: Float32Array; labels: Float32Array }[] = [];
  try {
    for await (const { images, labels } of loader.epoch(epoch, augmented)) {
      list.push({ shape: images.shape, values: images.dataSync() as Float32Array, labels });
      images.dispose();
    }
  } finally {
    await loader.close();
  }
  return list;
}

test('an epoch is the same however it is made', async (context) => {
  const before = tf.memory().numTensors;
  const first = await batches(context, train, 1, true);
  assert.is(first.length, 2);
  assert.equal(await batches(context, { ...train, workers: 2, cacheMb: 0 }, 1, true), first);
  const other = await batches(context, { ...train, seed: 1 }, 1, true);
  assert.not.equal(other[0].values, first[0].values);
  assert.is(tf.memory().numTensors, before);
});

test('sizes change with multi-scale, in proportion', async (context) => {
  const shapes = [];
  for (const epoch of [0, 1, 2, 3])
    for (const { shape } of await batches(context, train, epoch, true)) shapes.push(shape);
  assert.ok(new Set(shapes.map(String)).size > 1);
  for (const [n, height, width, channels] of shapes) {
    assert.equal([n, channels], [2, 3]);
    assert.ok(height % 32 === 0 && width % 32 === 0 && width >= height);
  }
});

test('without augmentation images are those that evaluation sees, far larger ones bit for bit', async (context) => {
  const plain = {
    ...train,
    batch: 4,
    multiscale: 0,
    augment: { ...train.augment, hsv: [0, 0, 0] as [0, 0, 0], flip: 0 },
  };
  const [{ values, labels }] = await batches(context, plain, 0, false);
  const length = 64 * 96 * 3;
  for (let n = 0; n < 4; n++) {
    const { path, width, height } = context.examples[labels[n * plain.maxBoxes * 5]];
    const { data, ratio } = letterbox(await decodeImage(path), preprocess, 'nhwc');
    const drawn = values.subarray(n * length, (n + 1) * length);
    if (ratio < 0.5) assert.equal(drawn, data);
    else assert.ok(drawn.every((level, i) => Math.abs(level - data[i]) <= 1));
    const [, cx, cy, w, h] = labels.subarray(n * plain.maxBoxes * 5);
    const expected = [width / 2, height / 2, width / 2, height / 2].map((side) => side * ratio);
    assert.ok([cx, cy, w, h].every((side, i) => Math.abs(side - expected[i]) <= 1));
  }
});

/** Resolves to what stops the batches of an epoch. */
const failureOf = (context: Context, config = train) =>
  batches(context, config, 0, true).then(
    () => assert.unreachable('the epoch ended without an error'),
    (error: Error) => error,
  ) as Promise<Error>;

for (const [what, content] of [
  ['gone', undefined],
  ['damaged', 'no image at all'],
] as const) {
  test(`an image that is ${what} by now is named, with its remedy`, async (context) => {
    const path = join(context.dir, `${what}.png`);
    if (content) writeFileSync(path, content);
    const examples = context.examples.map((example) => ({ ...example, name: `photo-${what}.png`, path }));
    const error = await failureOf({ ...context, examples });
    assert.instance(error, UserError);
    assert.match(error.message, `photo-${what}.png (${path}): expected`);
    assert.match(error.message, 'data-load --force');
  });
}

test('closed with batches under way it waits for them and says nothing', async ({ examples }) => {
  for (let round = 0; round < 5; round++) {
    const loader = new BatchLoader(examples, preprocess, { ...train, workers: 2 });
    for await (const { images } of loader.epoch(0, true)) {
      images.dispose();
      break;
    }
    await loader.close();
  }
});

test('a worker out of memory is an error that names it and the settings that help', () => {
  const death = Object.assign(new Error('Worker terminated due to reaching memory limit: JS heap out of memory'), {
    code: 'ERR_WORKER_OUT_OF_MEMORY',
  });
  const error = explainWorkerError(death);
  assert.instance(error, UserError);
  assert.match(error.message, /worker threads.*out of memory.*train\.workers/);
  const other = explainWorkerError(new TypeError('x is not a function'));
  assert.not.instance(other, UserError);
  assert.match(other.message, 'A worker that makes training batches failed: x is not a function');
});

for (const [how, source] of [
  ['ends', 'process.exit(3);'],
  ['throws while it waits', "setImmediate(() => { throw new Error('out of turn'); });"],
  ['cannot be loaded', "import './not-there.js';"],
] as const) {
  test(`a worker that ${how} stops the epoch with an error that names it`, async (context) => {
    const file = join(context.dir, 'worker.mjs');
    writeFileSync(file, `${source}\nexport default () => new Promise(() => {});\n`);
    const loader = new BatchLoader(context.examples, preprocess, train, file);
    const error = await loader
      .epoch(0, true)
      .next()
      .then(
        () => assert.unreachable(),
        (cause: Error) => cause,
      );
    assert.match((error as Error).message, /worker/i);
    await loader.close();
  });
}

test.run();
