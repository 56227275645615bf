import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import { readJson } from '../../../src/base/files.js';
import { type Bundle, type BundleManifest, readBundle } from '../../../src/detect/bundle.js';
import { ApiError } from '../../../src/serve/api_error.js';
import type { DetectRequest } from '../../../src/serve/detect_request.js';
import { type Answer, buildAnswer } from '../../../src/serve/http/answer.js';
import type { ModelProcess } from '../../../src/serve/versions/model_process.js';
import { makeBundle, randomJpeg, writeManifest } from '../make_bundle.js';
import { startModel, versionOf } from './versions_of.js';

const test = suite('model_process');
const never = () => new AbortController().signal;
let bundle: Bundle;
let image: Buffer;
let reference: Answer;
let model: ModelProcess;

test.before(async () => {
  bundle = await readBundle(await makeBundle());
  image = await readFile(join(bundle.dir, 'test_image.jpg'));
  reference = await readJson(join(bundle.dir, 'test_result.json'));
  model = await startModel(bundle);
});
test.after(async () => {
  await model.close();
  await rm(bundle.dir, { recursive: true });
});

async function ask(one = model, request: Partial<DetectRequest> = {}, signal = never()): Promise<Answer> {
  const ticket = one.admit();
  try {
    const found = await one.detect({ bytes: image, ...request }, ticket, signal);
    const { width, height, detections } = found;
    return buildAnswer({ file_name: '', width, height, image_id: 0 }, detections, bundle.categories);
  } finally {
    ticket.leave();
  }
}

async function problem(answer: Promise<unknown>): Promise<[number, string]> {
  try {
    await answer;
  } catch (error) {
    assert.instance(error, ApiError);
    return [(error as ApiError).status, (error as ApiError).body.code];
  }
  return assert.unreachable('it was answered') as never;
}

const alive = (pid: number | undefined) => existsSync(`/proc/${pid}`);
const kill = (one: ModelProcess, signal: NodeJS.Signals) => process.kill(one.pid as number, signal);

test('the reference answer, for one and for many at once', async () => {
  assert.equal(await ask(), reference);
  for (const answer of await Promise.all(Array.from({ length: 30 }, () => ask()))) assert.equal(answer, reference);
  assert.equal([model.admitted, model.queued], [0, 0]);
});

test('several instances answer what one does', async () => {
  const several = await startModel(bundle, { instances: 2, maxBatch: 2 });
  const images = await Promise.all([2, 3, 4, 5, 6, 7].map((seed) => randomJpeg(seed)));
  const alone = [];
  for (const bytes of images) alone.push(await ask(model, { bytes }));
  assert.not.equal(alone[0], alone[1]);
  assert.equal(await Promise.all(images.map((bytes) => ask(several, { bytes }))), alone);
  await several.close();
});

test('thresholds and drawing are those of the request', async () => {
  assert.is((await ask(model, { thresholds: { maxDetections: 1 } })).annotations.length, 1);
  const ticket = model.admit();
  const { drawn, times } = await model.detect({ bytes: image, draw: true }, ticket, never());
  ticket.leave();
  assert.equal(Buffer.from(drawn as Uint8Array).subarray(1, 4), Buffer.from('PNG'));
  assert.equal(Object.keys(times), ['queue', 'decode', 'letterbox', 'inference', 'post']);
});

test('what is no image is refused as before', async () => {
  assert.equal(await problem(ask(model, { bytes: Buffer.from('not an image') })), [422, 'undecodable']);
  const strict = await startModel(bundle, { maxPixels: 100 });
  assert.equal(await problem(ask(strict)), [413, 'too_many_pixels']);
  await strict.close();
});

test('a model that cannot be loaded is a UserError, and no process stays', async () => {
  const dir = await versionOf(bundle.dir, 'broken', 5);
  await writeFile(join(dir, 'model.onnx'), 'not a model');
  await writeManifest(dir, await readJson<BundleManifest>(join(dir, 'bundle.json')));
  try {
    await startModel(await readBundle(dir));
    assert.unreachable();
  } catch (error) {
    assert.instance(error, UserError);
    assert.match((error as UserError).message, 'model.onnx: expected an ONNX model');
  }
  await rm(dir, { recursive: true });
});

test('a process that dies is replaced, and what it had in hand is answered', async () => {
  const first = model.pid;
  const asked = Array.from({ length: 5 }, () => ask());
  kill(model, 'SIGKILL');
  for (const answer of await Promise.all(asked)) assert.equal(answer, reference);
  assert.not.equal(model.pid, first);
  assert.not(alive(first));
  assert.equal(await ask(), reference);
});

test('an image that crashes the model process twice is given up, its neighbours are answered', async () => {
  let restarts = 0;
  const doomed: ModelProcess = await startModel(bundle, {
    onRestart: () => {
      // By now the first suspect is in hand, alone.
      if (++restarts === 1) kill(doomed, 'SIGKILL');
    },
  });
  const asked = Array.from({ length: 3 }, () => ask(doomed));
  kill(doomed, 'SIGKILL');
  const [culprit, ...others] = await Promise.allSettled(asked);
  assert.is(culprit.status, 'rejected');
  assert.match(String((culprit as PromiseRejectedResult).reason), 'crashes the model process');
  assert.equal(
    others.map((other) => other.status === 'fulfilled' && other.value),
    [reference, reference],
  );
  assert.is(restarts, 2);
  await doomed.close();
});

test('a process that stands still lets nobody wait for ever', async () => {
  const still = await startModel(bundle, { deadline: 100, batchTimeout: 60_000 });
  kill(still, 'SIGSTOP');
  assert.equal(await problem(ask(still)), [503, 'deadline_passed']);
  kill(still, 'SIGCONT');
  assert.equal(await ask(still), reference);
  await still.close();
});

test('a process that stands still for long is ended, and what it had in hand is answered by the next', async () => {
  const restarted: number[] = [];
  const stopped = await startModel(bundle, { batchTimeout: 300, onRestart: () => restarted.push(1) });
  const first = stopped.pid;
  assert.equal(await ask(stopped), reference);
  kill(stopped, 'SIGSTOP');
  assert.equal(await Promise.all([ask(stopped), ask(stopped)]), [reference, reference]);
  assert.not(alive(first));
  assert.is(restarted.length, 1);
  await stopped.close();
});

test('one signal for many images draws no warning', async () => {
  const warnings: Error[] = [];
  const listen = (warning: Error) => warnings.push(warning);
  process.on('warning', listen);
  const signal = never();
  await Promise.all(Array.from({ length: 20 }, () => ask(model, {}, signal)));
  process.off('warning', listen);
  assert.equal(warnings, []);
});

test('a client that goes frees its ticket at once', async () => {
  const client = new AbortController();
  kill(model, 'SIGSTOP');
  const asked = ask(model, {}, client.signal);
  assert.is(model.admitted, 1);
  client.abort();
  assert.equal(await problem(asked), [499, 'client_gone']);
  assert.is(model.admitted, 0);
  assert.equal(await problem(ask(model, {}, AbortSignal.abort())), [499, 'client_gone']);
  kill(model, 'SIGCONT');
  assert.equal(await ask(), reference);
});

test('a full queue is refused before the process hears of it', async () => {
  const small = await startModel(bundle, { queue: 2 });
  kill(small, 'SIGSTOP');
  const taken = [ask(small), ask(small)];
  assert.throws(
    () => small.check(),
    (error: ApiError) => error.status === 503 && error.retryAfter === 1,
  );
  assert.equal(await problem(ask(small)), [503, 'overloaded']);
  kill(small, 'SIGCONT');
  assert.equal(await Promise.all(taken), [reference, reference]);
  small.check();
  await small.close();
});

test('closing waits for the answers and leaves no process', async () => {
  const closing = await startModel(bundle);
  const { pid } = closing;
  const asked = [ask(closing), ask(closing)];
  await closing.close();
  assert.not(alive(pid));
  assert.equal(await Promise.all(asked), [reference, reference]);
});

test.run();
