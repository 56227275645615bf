import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { configSchema } from '../../../src/config/schema.js';
import type { Bundle } from '../../../src/detect/bundle.js';
import { thisMachine, writeTuning } from '../../../src/detect/tuning.js';
import { workerOptions } from '../../../src/serve/worker/worker_options.js';

const test = suite('worker_options');
const given = configSchema.parse({}).serve;
let dir: string;

test.before.each(async () => {
  told = [];
  dir = await mkdtemp(join(tmpdir(), 'yolox-tuning-'));
});
test.after.each(() => rm(dir, { recursive: true }));

let told: string[] = [];

const settingsFor = async (options: Partial<typeof given> = {}) => {
  const { instances, threads, maxBatch, tuned } = await workerOptions(
    { dir } as Bundle,
    { ...given, ...options },
    (reason) => told.push(reason),
  );
  return { instances, threads, maxBatch, tuned };
};

test('one instance on all cores when nothing is set, and several share them', async () => {
  assert.equal(await settingsFor(), { instances: 1, threads: 0, maxBatch: undefined, tuned: false });
  const { threads } = await settingsFor({ instances: 2 });
  assert.is(threads, Math.max(1, Math.floor(availableParallelism() / 2)));
});

test('what was tuned on this machine holds, and what is given explicitly holds before it', async () => {
  const chosen = { instances: 3, threads: 1, maxBatch: 2 };
  await writeTuning(dir, { machine: thisMachine('auto'), goal: 'throughput', chosen, measured: [] });
  assert.equal(await settingsFor(), { instances: 3, threads: 1, maxBatch: 2, tuned: true });
  const mixed = await settingsFor({ instances: 1, threads: 0, maxBatch: 5 });
  assert.equal(told, []);
  assert.equal(mixed, { instances: 1, threads: 0, maxBatch: 5, tuned: true });
});

test('what was tuned on another machine does not', async () => {
  const chosen = { instances: 3, threads: 1, maxBatch: 2 };
  const machine = { ...thisMachine('auto'), cpu: 'another' };
  await writeTuning(dir, { machine, goal: 'throughput', chosen, measured: [] });
  assert.is((await settingsFor()).tuned, false);
  assert.match(told.join(), /measured on another machine/);
});

test.run();
