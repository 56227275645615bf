import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decodePicture } from '../../../src/data/decode.js';
import type { Picture } from '../../../src/data/picture.js';
import { readBundle } from '../../../src/serve/bundle.js';
import { Batcher, type BatcherOptions } from '../../../src/serve/engine/batcher.js';
import type { BatchDetections, DetectorTask } from '../../../src/serve/engine/detector.js';
import { DetectorThread } from '../../../src/serve/engine/detector_thread.js';
import { HttpProblem } from '../../../src/serve/http/http_problem.js';
import { makeBundle, randomJpeg } from '../make_bundle.js';

const test = suite('batcher');
const options: BatcherOptions = { maxBatch: 8, queue: 100, deadline: 20_000 };
const never = new AbortController().signal;
let dir: string;
let thread: DetectorThread;
let pictures: Picture[];

test.before(async () => {
  dir = await makeBundle();
  thread = new DetectorThread(await readBundle(dir), { threads: 1 });
  pictures = await Promise.all([1, 2, 3, 4, 5, 6, 7].map(async (seed) => decodePicture(await randomJpeg(seed))));
});
test.after(async () => {
  await thread.close();
  await rm(dir, { recursive: true });
});

const run = (tasks: DetectorTask[]) => thread.detectBatch(tasks);

async function ask(batcher: Batcher, picture: Picture, signal = never) {
  const place = batcher.admit(signal);
  try {
    return (await place.detect({ picture })).detections;
  } finally {
    place.leave();
  }
}

/** Code of the refusal that a request ends in. */
async function refusal(request: () => Promise<unknown>): Promise<[number, string, number | undefined]> {
  try {
    await request();
  } catch (error) {
    assert.instance(error, HttpProblem);
    const { status, reason, retryAfter } = error as HttpProblem;
    return [status, reason.code, retryAfter];
  }
  return assert.unreachable('it was answered') as never;
}

/** The real model behind a gate, which shows the batches and holds them up until `open`. */
function gated() {
  const batches: DetectorTask[][] = [];
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const runGated = async (tasks: DetectorTask[]): Promise<BatchDetections> => {
    batches.push(tasks);
    await opened;
    return run(tasks);
  };
  return { batches, open, run: runGated };
}

test('what comes while the model runs is answered together, as it would be alone', async () => {
  const alone = [];
  for (const picture of pictures) alone.push((await run([{ picture }])).detections[0]);
  const sizes: number[] = [];
  const batcher = new Batcher(run, { ...options, onBatch: (size) => sizes.push(size) });
  for (let round = 0; round < 5; round++) {
    assert.equal(await Promise.all(pictures.map((picture) => ask(batcher, picture))), alone);
  }
  assert.is(
    sizes.reduce((sum, size) => sum + size),
    5 * pictures.length,
  );
  assert.is(sizes[0], 1);
  assert.ok(Math.max(...sizes) > 1, `batches of ${sizes}`);
  assert.equal([batcher.admitted, batcher.queued], [0, 0]);
});

test('each picture of a batch keeps its own thresholds', async () => {
  const { detections } = await run([
    { picture: pictures[0], thresholds: { maxDetections: 1 } },
    { picture: pictures[0] },
    { picture: pictures[0], thresholds: { confidence: 1 } },
  ]);
  assert.equal([detections[0], detections[2]], [detections[1].slice(0, 1), []]);
});

test('a full queue refuses at once and recovers', async () => {
  const model = gated();
  const batcher = new Batcher(model.run, { ...options, queue: 3 });
  const taken = pictures.slice(0, 3).map((picture) => ask(batcher, picture));
  assert.equal(await refusal(() => ask(batcher, pictures[3])), [503, 'overloaded', 1]);
  model.open();
  await Promise.all(taken);
  assert.ok((await ask(batcher, pictures[3])).length > 0);
});

test('a request that could not be in time is refused, an idle model refuses nothing', async () => {
  const slow = async (tasks: DetectorTask[]) => {
    await new Promise((resolve) => setTimeout(resolve, 60));
    return run(tasks);
  };
  const batcher = new Batcher(slow, { ...options, maxBatch: 1, deadline: 400 });
  await Promise.all(pictures.slice(0, 3).map((picture) => ask(batcher, picture)));
  const asked = await Promise.allSettled(Array.from({ length: 20 }, () => ask(batcher, pictures[0])));
  const codes = asked.map((one) => (one.status === 'rejected' ? one.reason.reason.code : 'answered'));
  assert.is(codes[0], 'answered');
  assert.is(codes.at(-1), 'overloaded');
  assert.ok((await ask(batcher, pictures[0])).length > 0);
});

test('the deadline ends the wait, even of a model that hangs', async () => {
  const model = gated();
  const batcher = new Batcher(model.run, { ...options, deadline: 30 });
  const running = ask(batcher, pictures[0]);
  assert.equal(await refusal(() => ask(batcher, pictures[1])), [503, 'deadline_passed', 1]);
  assert.is(batcher.queued, 0);
  model.open();
  await running;
});

test('a request whose client has gone leaves the queue and is never run', async () => {
  const model = gated();
  const batcher = new Batcher(model.run, options);
  const running = ask(batcher, pictures[0]);
  const client = new AbortController();
  const waiting = refusal(() => ask(batcher, pictures[1], client.signal));
  assert.equal([batcher.queued, batcher.admitted], [1, 2]);
  client.abort();
  assert.equal((await waiting).slice(0, 2), [499, 'client_gone']);
  assert.equal([batcher.queued, batcher.admitted], [0, 1]);
  assert.is((await refusal(() => ask(batcher, pictures[1], AbortSignal.abort())))[1], 'client_gone');
  model.open();
  await batcher.idle();
  assert.is(batcher.admitted, 0);
  await running;
  assert.equal(
    model.batches.map((tasks) => tasks.map(({ picture }) => picture)),
    [[pictures[0]]],
  );
});

test('a thread that dies is replaced and its pictures are run again', async () => {
  const alone = (await run([{ picture: pictures[0] }])).detections[0];
  let failed = 0;
  const dying = async (tasks: DetectorTask[]) => {
    const found = run(tasks);
    if (failed === 0) {
      const [worker] = thread.threads;
      const exited = once(worker, 'exit');
      await worker.terminate();
      await exited;
    }
    return found.catch((error) => {
      failed++;
      throw error;
    });
  };
  const batcher = new Batcher(dying, options);
  assert.equal(await ask(batcher, pictures[0]), alone);
  assert.is(failed, 1);
});

test('a picture that always fails takes no other with it', async () => {
  const model = gated();
  const batcher = new Batcher(async (tasks) => {
    if (tasks.some(({ picture }) => picture === pictures[3])) throw new Error('cannot be run');
    return model.run(tasks);
  }, options);
  model.open();
  const asked = await Promise.allSettled(pictures.map((picture) => ask(batcher, picture)));
  assert.equal(
    asked.map(({ status }) => status),
    pictures.map((picture) => (picture === pictures[3] ? 'rejected' : 'fulfilled')),
  );
});

test.run();
