import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readBundle } from '../../../src/detect/bundle.js';
import { ApiError } from '../../../src/serve/api_error.js';
import { Admission } from '../../../src/serve/batching/admission.js';
import { Dispatcher } from '../../../src/serve/batching/dynamic_batcher.js';
import { BatchFailed, type SentTask } from '../../../src/serve/worker/frames.js';
import { type BatchOutcomes, UploadDetector, type UploadTask } from '../../../src/serve/worker/upload_detector.js';
import { type Lane, LaneClosed } from '../../../src/serve/worker/worker_channel.js';
import { makeBundle, randomJpeg } from '../make_bundle.js';

const test = suite('dispatcher');
let dir: string;
let detector: UploadDetector;
let images: Buffer[];

test.before(async () => {
  dir = await makeBundle();
  detector = await UploadDetector.open(await readBundle(dir), {
    threads: 1,
    maxPixels: 1_000_000,
    maxSide: 2000,
    decodeTimeout: 30_000,
  });
  images = await Promise.all([1, 2, 3, 4, 5, 6, 7].map((seed) => randomJpeg(seed)));
});
test.after(async () => {
  await detector.detector.close();
  await rm(dir, { recursive: true });
});

const real: Lane = { run: (tasks) => detector.detectBatch(tasks as UploadTask[]) };

interface Setting {
  deadline?: number;
  patience?: number;
  kill?: () => void;
  /** For long images. */
  long?: Lane;
}

function dispatcherOf(
  lanes: Lane[],
  maxBatch = 8,
  { deadline = 20_000, patience = 60_000, kill, long = real }: Setting = {},
) {
  const admission = new Admission({ queue: 100, deadline, least: 100 });
  const sizes: number[] = [];
  const dispatcher = new Dispatcher({
    admission,
    patience,
    kill: kill ?? (() => assert.unreachable('nothing is to be killed')),
    onBatch: (size) => sizes.push(size),
  });
  dispatcher.connect({ lanes, long }, maxBatch);
  const ask = async (bytes: Uint8Array, signal = new AbortController().signal) => {
    const seat = admission.enter();
    try {
      return (await dispatcher.detect({ bytes, thresholds: {} }, seat, signal)).detections;
    } finally {
      seat.leave();
    }
  };
  return { dispatcher, ask, sizes };
}

async function alone(bytes: Uint8Array) {
  const { outcomes } = await detector.detectBatch([{ bytes }]);
  assert.ok('detections' in outcomes[0]);
  return outcomes[0].detections;
}

async function problem(answer: Promise<unknown>): Promise<[number, string]> {
  const error = await answer.then(
    () => undefined,
    (reason) => reason,
  );
  assert.instance(error, ApiError);
  return [error.status, error.body.code];
}

/** The real model behind a gate, which shows the batches and holds them up until `open`. */
function gated() {
  const batches: (readonly SentTask[])[] = [];
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const lane = (): Lane => ({
    async run(tasks): Promise<BatchOutcomes> {
      batches.push(tasks);
      await opened;
      return real.run(tasks);
    },
  });
  return { batches, open, lane };
}

test('what comes while the model runs is answered together, as it would be alone', async () => {
  const expected = [];
  for (const bytes of images) expected.push(await alone(bytes));
  const { dispatcher, ask, sizes } = dispatcherOf([real]);
  for (let round = 0; round < 5; round++) {
    assert.equal(await Promise.all(images.map((image) => ask(image))), expected);
  }
  assert.is(
    sizes.reduce((sum, size) => sum + size),
    5 * images.length,
  );
  assert.is(sizes[0], 1);
  assert.ok(Math.max(...sizes) > 1, `batches of ${sizes}`);
  assert.is(dispatcher.queued, 0);
});

test('an image whose request has ended leaves the queue and is never run', async () => {
  const model = gated();
  const { dispatcher, ask } = dispatcherOf([model.lane()]);
  const running = ask(images[0]);
  const client = new AbortController();
  const waiting = problem(ask(images[1], client.signal));
  assert.is(dispatcher.queued, 1);
  client.abort();
  assert.equal(await waiting, [499, 'client_gone']);
  assert.is(dispatcher.queued, 0);
  assert.equal(await problem(ask(images[1], AbortSignal.abort())), [499, 'client_gone']);
  model.open();
  await running;
  assert.equal(
    model.batches.map((tasks) => tasks.map(({ bytes }) => bytes)),
    [[images[0]]],
  );
});

test('idle detectors share what waits', async () => {
  const model = gated();
  const { dispatcher, ask } = dispatcherOf([]);
  const asked = images.slice(0, 6).map((image) => ask(image));
  assert.is(dispatcher.queued, 6);
  dispatcher.connect({ lanes: [model.lane(), model.lane()], long: real }, 8);
  assert.is(model.batches.length, 2);
  model.open();
  await Promise.all(asked);
  assert.is(model.batches.flat().length, 6);
  assert.ok(model.batches.every((tasks) => tasks.length <= 3));
});

test('a batch too long for the deadline of its first image is not begun', async () => {
  const slow: Lane = {
    async run(tasks) {
      // As long a time for each image more as no deadline below allows.
      const inference = tasks.length > 1 ? 1500 : 0;
      await sleep(inference);
      const { outcomes, times } = await real.run(tasks);
      return { outcomes, times: { ...times, inference } };
    },
  };
  const { dispatcher, ask, sizes } = dispatcherOf([slow], 2, { deadline: 1400 });
  await dispatcher.warmUp({ bytes: images[0] }, 10_000);
  await Promise.all(images.map((bytes) => ask(bytes)));
  assert.equal(
    sizes,
    images.map(() => 1),
  );
});

test('warming up measures what an image takes, on all detectors at once', async () => {
  const ran: number[] = [];
  const lane = (): Lane => ({
    run(tasks) {
      ran.push(tasks.length);
      return real.run(tasks);
    },
  });
  const { dispatcher, ask } = dispatcherOf([lane(), lane()], 2);
  const { alone: one, pace } = await dispatcher.warmUp({ bytes: images[0] }, 10_000);
  assert.equal(ran, [1, 1, 1, 1, 2, 2, 2, 2]);
  assert.ok(0 < pace && pace < one, `${pace} ${one}`);
  assert.equal(await ask(images[1]), await alone(images[1]));
});

test('an image that always fails takes no other with it', async () => {
  const failing: Lane = {
    async run(tasks) {
      if (tasks.some(({ bytes }) => bytes === images[3])) throw new BatchFailed('cannot be run');
      return real.run(tasks);
    },
  };
  const { ask } = dispatcherOf([failing]);
  const asked = await Promise.allSettled(images.map((image) => ask(image)));
  assert.equal(
    asked.map(({ status }) => status),
    images.map((image) => (image === images[3] ? 'rejected' : 'fulfilled')),
  );
});

/** Detectors of a process that dies of one image. */
function mortal(deadly: Uint8Array): Lane[] {
  let dead = false;
  let die = () => {};
  const death = new Promise<void>((resolve) => {
    die = resolve;
  });
  const lane: Lane = {
    async run(tasks) {
      if (tasks.some(({ bytes }) => bytes === deadly)) {
        dead = true;
        die();
      }
      const answer = real.run(tasks);
      await Promise.race([answer, death]);
      if (dead) throw new LaneClosed();
      return answer;
    },
  };
  return [lane, { run: lane.run }];
}

test('what a process had in hand when it died is asked again one by one, and only the culprit is given up', async () => {
  const [deadly, ...others] = images;
  const { dispatcher, ask } = dispatcherOf(mortal(deadly), 1);
  const asked = [ask(deadly), ...others.map((bytes) => ask(bytes))];
  const ended = Promise.allSettled(asked);
  await sleep(50);
  // The next process dies of it as well, when it is alone with it.
  dispatcher.connect({ lanes: mortal(deadly), long: real }, 1);
  await assertRejects(asked[0], 'kills its process');
  dispatcher.connect({ lanes: mortal(deadly), long: real }, 1);
  const [culprit, ...answers] = await ended;
  assert.is(culprit.status, 'rejected');
  for (const [i, answer] of answers.entries()) {
    assert.equal(answer, { status: 'fulfilled', value: await alone(others[i]) });
  }
});

async function assertRejects(promise: Promise<unknown>, message: string): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (reason) => reason,
  );
  assert.match(String(error), message);
}

test('a process gone before it was asked leaves nobody suspected of its death', async () => {
  const gone: Lane = { run: () => Promise.reject(new LaneClosed()) };
  const { dispatcher, ask } = dispatcherOf([gone, gone]);
  const asked = ask(images[0]);
  await sleep(20);
  dispatcher.connect({ lanes: [real], long: real }, 8);
  assert.equal(await asked, await alone(images[0]));
});

test('a process that owes an answer for too long is ended', async () => {
  let killed = 0;
  const silent: Lane = { run: () => new Promise(() => {}) };
  const kill = () => killed++;
  const { ask } = dispatcherOf([silent], 1, { patience: 30, deadline: 100, kill });
  assert.equal(await problem(ask(images[0])), [503, 'deadline_passed']);
  assert.is(killed, 1);
});

test('a detector that stands still is found beside one that answers', async () => {
  let killed = 0;
  const silent: Lane = { run: () => new Promise(() => {}) };
  const { ask } = dispatcherOf([silent, real], 1, { patience: 60, deadline: 2000, kill: () => killed++ });
  const lost = problem(ask(images[0]));
  while (killed === 0) await ask(images[1]);
  assert.equal(await lost, [503, 'deadline_passed']);
});

/** The real model, to which one of the images is long unless it may be. */
function refusing(long: Uint8Array): { lane: Lane; sent: number } {
  const seen = {
    sent: 0,
    lane: {
      async run(tasks: readonly SentTask[]) {
        const isLong = tasks.map(({ bytes, alone: own }) => bytes === long && !own);
        seen.sent += isLong.filter(Boolean).length;
        const { outcomes, times } = await real.run(tasks);
        return { times, outcomes: outcomes.map((outcome, i) => (isLong[i] ? { long: true as const } : outcome)) };
      },
    },
  };
  return seen;
}

test('long ones go one by one to the detector for them, and others wait for none', async () => {
  const [long, ...others] = images;
  const model = gated();
  const short = refusing(long);
  const { ask } = dispatcherOf([short.lane], 4, { long: model.lane() });
  const longs = Promise.all(Array.from({ length: 3 }, () => ask(long)));
  // The first stands still in hand, the others wait behind it.
  assert.equal(await Promise.all(others.map((bytes) => ask(bytes))), await Promise.all(others.map(alone)));
  assert.is(model.batches.length, 1);
  model.open();
  assert.equal(await longs, Array(3).fill(await alone(long)));
  assert.equal(
    model.batches.map((tasks) => tasks.map(({ alone: own }) => own)),
    [[true], [true], [true]],
  );
  // Each was sent in company no more than once.
  assert.is(short.sent, 3);
});

test('a long one that kills its process is given up, and those beside it are answered', async () => {
  const [long, ...others] = images;
  let connect = () => {};
  const process = () => {
    let die = () => {};
    const death = new Promise<never>((_, reject) => {
      die = () => reject(new LaneClosed());
    });
    death.catch(() => {});
    const deadly: Lane = {
      run() {
        die();
        // As a supervisor does when a process has died.
        setImmediate(() => connect());
        return death;
      },
    };
    const { lane } = refusing(long);
    return { lanes: [{ run: (tasks: readonly SentTask[]) => Promise.race([death, lane.run(tasks)]) }], long: deadly };
  };
  const { dispatcher, ask } = dispatcherOf([], 4);
  connect = () => dispatcher.connect(process(), 4);
  const lost = ask(long);
  const found = Promise.all(others.map((bytes) => ask(bytes)));
  connect();
  await assertRejects(lost, 'kills its process');
  assert.equal(await found, await Promise.all(others.map(alone)));
});

test.run();
