import { existsSync, readFileSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import { type Bundle, readBundle } from '../../../src/detect/bundle.js';
import { ApiError } from '../../../src/serve/api_error.js';
import { ModelProcess } from '../../../src/serve/versions/model_process.js';
import { familyOf } from '../fuzz/processes.js';
import { makeBundle } from '../make_bundle.js';
import { until } from '../wire.js';
import { DEFAULTS, startModel } from './versions_of.js';

const test = suite('standstill');
let bundle: Bundle;
let model: ModelProcess | undefined;

test.before(async () => {
  bundle = await readBundle(await makeBundle());
});
test.after.each(async () => {
  await model?.close();
  model = undefined;
});
test.after(() => rm(bundle.dir, { recursive: true }));

const modelsBelow = () =>
  familyOf(process.pid).filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('worker/main'));
const signal = (one: ModelProcess, name: NodeJS.Signals) => process.kill(one.pid as number, name);

/** Objects found in the bundle's own image. */
async function ask(one: ModelProcess): Promise<unknown> {
  const ticket = one.admit();
  try {
    const bytes = await readFile(join(bundle.dir, bundle.test.image));
    return (await one.detect({ bytes }, ticket, new AbortController().signal)).detections;
  } finally {
    ticket.leave();
  }
}

const refuses = (one: ModelProcess) =>
  assert.throws(
    () => one.check(),
    (error: unknown) => error instanceof ApiError && error.body.code === 'model_down',
  );

test('a first start that stands still ends in an error, and leaves no process', async () => {
  const started = startModel(bundle, { startTimeout: 500 });
  const [pid] = modelsBelow();
  process.kill(pid, 'SIGSTOP');
  const error = await started.catch((reason: unknown) => reason);
  assert.instance(error, UserError);
  assert.match((error as UserError).message, /serve\.startTimeout: expected a model that is ready within 500 ms/);
  assert.not(existsSync(`/proc/${pid}`));
});

test('a first start that dies ends in an error that says of what', async () => {
  const started = startModel(bundle);
  const [pid] = modelsBelow();
  process.kill(pid, 'SIGKILL');
  const error = await started.catch((reason: unknown) => reason);
  assert.instance(error, UserError);
  assert.match((error as UserError).message, /expected a process that loads the model, received "SIGKILL".*memory/);
});

test('a restart that stands still is found, told and tried again; nothing waits for it', async () => {
  const troubles: string[] = [];
  const options = { ...DEFAULTS, onTrouble: (text: string) => troubles.push(text) };
  const one = await ModelProcess.start(bundle, options);
  model = one;
  const before = await ask(one);
  const first = one.pid;
  // Long enough for one that starts would be too long to wait for one that does not.
  options.startTimeout = 500;
  signal(one, 'SIGKILL');
  await until(() => one.pid !== undefined && one.pid !== first);
  signal(one, 'SIGSTOP');
  assert.not(await one.answers());
  await until(() => one.problem !== undefined);
  assert.match(String(one.problem), 'serve.startTimeout');
  assert.not(await one.answers());
  refuses(one);
  // One after it comes up by itself.
  options.startTimeout = DEFAULTS.startTimeout;
  await until(() => one.answers());
  one.check();
  assert.equal(await ask(one), before);
  assert.match(troubles[0], 'SIGKILL');
  assert.match(troubles[1], 'does not start: serve.startTimeout');
});

test('an idle process that stands still does not answer when it is asked', async () => {
  const one = await startModel(bundle);
  model = one;
  assert.ok(await one.answers());
  signal(one, 'SIGSTOP');
  await until(async () => !(await one.answers()));
  signal(one, 'SIGCONT');
  await until(() => one.answers());
  await ask(one);
});

test('one that was asked and never answers is replaced', async () => {
  const troubles: string[] = [];
  const one = await startModel(bundle, { batchTimeout: 300, onTrouble: (text) => troubles.push(text) });
  model = one;
  const { pid } = one;
  signal(one, 'SIGSTOP');
  await until(async () => !(await one.answers()));
  await until(() => one.pid !== pid);
  await until(() => one.answers());
  assert.match(troubles[0], 'did not answer within 300 ms');
  await ask(one);
});

test('a process that starts again loads only what was packed', async () => {
  const path = join(bundle.dir, bundle.model.file);
  const packed = await readFile(path);
  const one = await startModel(bundle);
  model = one;
  const before = await ask(one);
  const flipped = Buffer.from(packed);
  for (const at of [packed.length >> 1, packed.length - 5000]) flipped[at] ^= 1;
  await writeFile(path, flipped);
  signal(one, 'SIGKILL');
  await until(() => one.problem !== undefined);
  assert.match(String(one.problem), /model\.onnx: expected SHA-256 [0-9a-f]{64}, received/);
  assert.not(await one.answers());
  refuses(one);
  await writeFile(path, packed);
  await until(() => one.answers());
  assert.equal(await ask(one), before);
});

test.run();
