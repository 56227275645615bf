import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readBundle } from '../../../src/serve/bundle.js';
import { Batcher, type BatcherOptions } from '../../../src/serve/engine/batcher.js';
import { DetectorThreads } from '../../../src/serve/engine/detector_threads.js';
import type { BatchOutcomes, Outcome, UploadTask } from '../../../src/serve/engine/upload_detector.js';
import { makeBundle, randomJpeg } from '../make_bundle.js';

const test = suite('batcher');
const options: BatcherOptions = { maxBatch: 8, sessions: 1 };
const LIMITS = { maxPixels: 1_000_000, maxSide: 2000 };
let dir: string;
let threads: DetectorThreads;
let pictures: Buffer[];

test.before(async () => {
  dir = await makeBundle();
  threads = new DetectorThreads(await readBundle(dir), { threads: 1, sessions: 2, ...LIMITS });
  pictures = await Promise.all([1, 2, 3, 4, 5, 6, 7].map((seed) => randomJpeg(seed)));
});
test.after(async () => {
  await threads.close();
  await rm(dir, { recursive: true });
});

const run = (tasks: UploadTask[]) => threads.detectBatch(tasks);

async function ask(batcher: Batcher, bytes: Uint8Array, signal = new AbortController().signal) {
  return detectionsOf((await batcher.detect({ bytes }, performance.now() + 20_000, signal)).outcome);
}

function detectionsOf(outcome: Outcome) {
  assert.ok('detections' in outcome);
  return outcome.detections;
}

/** The real model behind a gate, which shows the batches and holds them up until `open`. */
function gated() {
  const batches: UploadTask[][] = [];
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const runGated = async (tasks: UploadTask[]): Promise<BatchOutcomes> => {
    batches.push(tasks);
    await opened;
    return run(tasks);
  };
  return { batches, open, run: runGated };
}

test('what comes while the model runs is answered together, as it would be alone', async () => {
  const alone = [];
  for (const bytes of pictures) alone.push(detectionsOf((await run([{ bytes }])).outcomes[0]));
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
  assert.is(batcher.queued, 0);
});

test('each picture of a batch keeps its own thresholds', async () => {
  const [bytes] = pictures;
  const { outcomes } = await run([
    { bytes, thresholds: { maxDetections: 1 } },
    { bytes },
    { bytes, thresholds: { confidence: 1 } },
  ]);
  const [one, all, none] = outcomes.map(detectionsOf);
  assert.equal([one, none], [all.slice(0, 1), []]);
});

test('a picture whose request has ended leaves the queue and is never run', async () => {
  const model = gated();
  const batcher = new Batcher(model.run, options);
  const running = ask(batcher, pictures[0]);
  const client = new AbortController();
  const waiting = ask(batcher, pictures[1], client.signal).catch((reason) => reason);
  assert.is(batcher.queued, 1);
  client.abort('gone');
  assert.is(await waiting, 'gone');
  assert.is(batcher.queued, 0);
  assert.is(await ask(batcher, pictures[1], AbortSignal.abort('before')).catch((reason) => reason), 'before');
  model.open();
  await running;
  assert.equal(
    model.batches.map((tasks) => tasks.map(({ bytes }) => bytes)),
    [[pictures[0]]],
  );
});

test('idle sessions share what waits', async () => {
  const model = gated();
  const batcher = new Batcher(model.run, { ...options, sessions: 2 });
  const asked = pictures.slice(0, 6).map((picture) => ask(batcher, picture));
  assert.equal([model.batches.length, batcher.queued], [2, 4]);
  model.open();
  await Promise.all(asked);
  assert.is(model.batches.flat().length, 6);
  assert.ok(model.batches.every((tasks) => tasks.length <= 2));
});

test('a batch too long for the deadline of its first picture is not begun', async () => {
  const sizes: number[] = [];
  const slow = async (tasks: UploadTask[]) => {
    // As long a time for each picture more as no deadline below allows.
    const inference = tasks.length > 1 ? 300 : 0;
    await new Promise((resolve) => setTimeout(resolve, inference));
    const { outcomes, times } = await run(tasks);
    return { outcomes, times: { ...times, inference } };
  };
  const batcher = new Batcher(slow, { maxBatch: 2, sessions: 1, onBatch: (size) => sizes.push(size) });
  await batcher.warmUp({ bytes: pictures[0] }, 10_000);
  const { signal } = new AbortController();
  await Promise.all(pictures.map((bytes) => batcher.detect({ bytes }, performance.now() + 250, signal)));
  assert.equal(
    sizes,
    pictures.map(() => 1),
  );
});

test('a thread that dies is replaced and its pictures are run again', async () => {
  const alone = detectionsOf((await run([{ bytes: pictures[0] }])).outcomes[0]);
  let failed = 0;
  const dying = async (tasks: UploadTask[]) => {
    const found = run(tasks);
    if (failed === 0) {
      const [worker] = threads.threads;
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
    if (tasks.some(({ bytes }) => bytes === pictures[3])) throw new Error('cannot be run');
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
