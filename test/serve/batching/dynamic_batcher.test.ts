import { rm } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readBundle } from '../../../src/detect/bundle.js';
import { OnnxDetector } from '../../../src/detect/onnx_detector.js';
import { ApiError } from '../../../src/serve/api_error.js';
import { Admission } from '../../../src/serve/batching/admission.js';
import { DynamicBatcher } from '../../../src/serve/batching/dynamic_batcher.js';
import type { BatchResult, DetectRequest } from '../../../src/serve/detect_request.js';
import { detectBatch } from '../../../src/serve/worker/detect_batch.js';
import { BatchFailed } from '../../../src/serve/worker/frames.js';
import { ChannelClosed, type WorkerChannel } from '../../../src/serve/worker/worker_channel.js';
import { ManualClock } from '../../support/manual_clock.js';
import { makeBundle, randomJpeg } from '../make_bundle.js';

const test = suite('dynamic batcher');
let dir: string;
let detector: OnnxDetector;
let images: Buffer[];

test.before(async () => {
  dir = await makeBundle();
  detector = await OnnxDetector.open(await readBundle(dir), { threads: 1 });
  images = await Promise.all([1, 2, 3, 4, 5, 6, 7].map((seed) => randomJpeg(seed)));
});
test.after(async () => {
  await detector.close();
  await rm(dir, { recursive: true });
});

const limits = { maxPixels: 1_000_000, maxSide: 2000, decodeTimeout: 30_000 };
const detect = (requests: readonly DetectRequest[]) =>
  detectBatch(detector, requests as DetectRequest<Uint8Array>[], limits);
const real: WorkerChannel = { run: detect };

interface Setting {
  deadline?: number;
  batchTimeout?: number;
  kill?: () => void;
  /** For long images. */
  long?: WorkerChannel;
}

function batcherOf(
  channels: WorkerChannel[],
  maxBatch = 8,
  { deadline = 20_000, batchTimeout = 60_000, kill, long = real }: Setting = {},
) {
  const clock = new ManualClock();
  const admission = new Admission({ queue: 100, deadline, least: 100 }, clock);
  const sizes: number[] = [];
  const batcher = new DynamicBatcher({
    admission,
    batchTimeout,
    kill: kill ?? (() => assert.unreachable('nothing is to be killed')),
    onBatch: (size) => sizes.push(size),
    clock,
  });
  batcher.connect({ channels, long }, maxBatch);
  const ask = async (bytes: Uint8Array, signal = new AbortController().signal) => {
    const ticket = admission.enter();
    try {
      return (await batcher.detect({ bytes }, ticket, signal)).detections;
    } finally {
      ticket.leave();
    }
  };
  return { batcher, ask, sizes, clock };
}

async function alone(bytes: Uint8Array) {
  const { outcomes } = await detect([{ bytes }]);
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

/** An instance that never answers. */
const silent: WorkerChannel = { run: () => new Promise(() => {}) };

/** Waits for a condition that promises bring about. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setImmediate();
}

/** The real model behind a gate, which shows the batches and holds them up until `open`. */
function gated() {
  const batches: (readonly DetectRequest[])[] = [];
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const channel = (): WorkerChannel => ({
    async run(requests): Promise<BatchResult> {
      batches.push(requests);
      await opened;
      return real.run(requests);
    },
  });
  return { batches, open, channel };
}

test('what comes while the model runs is answered together, as it would be alone', async () => {
  const expected = [];
  for (const bytes of images) expected.push(await alone(bytes));
  const { batcher, ask, sizes } = batcherOf([real]);
  for (let round = 0; round < 5; round++) {
    assert.equal(await Promise.all(images.map((image) => ask(image))), expected);
  }
  assert.is(
    sizes.reduce((sum, size) => sum + size),
    5 * images.length,
  );
  assert.is(sizes[0], 1);
  assert.ok(Math.max(...sizes) > 1, `batches of ${sizes}`);
  assert.is(batcher.queued, 0);
});

test('an image whose request has ended leaves the queue and is never run', async () => {
  const model = gated();
  const { batcher, ask } = batcherOf([model.channel()]);
  const running = ask(images[0]);
  const client = new AbortController();
  const waiting = problem(ask(images[1], client.signal));
  assert.is(batcher.queued, 1);
  client.abort();
  assert.equal(await waiting, [499, 'client_gone']);
  assert.is(batcher.queued, 0);
  assert.equal(await problem(ask(images[1], AbortSignal.abort())), [499, 'client_gone']);
  model.open();
  await running;
  assert.equal(
    model.batches.map((requests) => requests.map(({ bytes }) => bytes)),
    [[images[0]]],
  );
});

test('idle instances share what waits', async () => {
  const model = gated();
  const { batcher, ask } = batcherOf([]);
  const asked = images.slice(0, 6).map((image) => ask(image));
  assert.is(batcher.queued, 6);
  batcher.connect({ channels: [model.channel(), model.channel()], long: real }, 8);
  assert.is(model.batches.length, 2);
  model.open();
  await Promise.all(asked);
  assert.is(model.batches.flat().length, 6);
  assert.ok(model.batches.every((requests) => requests.length <= 3));
});

test('a batch too long for the deadline of its first image is not begun', async () => {
  const slow: WorkerChannel = {
    async run(requests) {
      const { outcomes, times } = await detect(requests);
      // More than any deadline below allows for each further image.
      return { outcomes, times: { ...times, inference: requests.length > 1 ? 1500 : 0 } };
    },
  };
  const { batcher, ask, sizes } = batcherOf([slow], 2, { deadline: 1400 });
  await batcher.warmUp({ bytes: images[0] }, 10_000);
  await Promise.all(images.map((bytes) => ask(bytes)));
  assert.equal(
    sizes,
    images.map(() => 1),
  );
});

test('warming up measures what an image takes, on all instances at once', async () => {
  const ran: number[] = [];
  const channel = (): WorkerChannel => ({
    run(requests) {
      ran.push(requests.length);
      return real.run(requests);
    },
  });
  const { batcher, ask } = batcherOf([channel(), channel()], 2);
  const { alone: one, pace } = await batcher.warmUp({ bytes: images[0] }, 10_000);
  assert.equal(ran, [1, 1, 1, 1, 2, 2, 2, 2]);
  assert.ok(0 < pace && pace < one, `${pace} ${one}`);
  assert.equal(await ask(images[1]), await alone(images[1]));
});

test('an image that always fails takes no other with it', async () => {
  const failing: WorkerChannel = {
    async run(requests) {
      if (requests.some(({ bytes }) => bytes === images[3])) throw new BatchFailed('cannot be run');
      return real.run(requests);
    },
  };
  const { ask } = batcherOf([failing]);
  const asked = await Promise.allSettled(images.map((image) => ask(image)));
  assert.equal(
    asked.map(({ status }) => status),
    images.map((image) => (image === images[3] ? 'rejected' : 'fulfilled')),
  );
});

/** Instances of a worker that dies of one image. */
function mortal(deadly: Uint8Array): WorkerChannel[] {
  let dead = false;
  let die = () => {};
  const death = new Promise<void>((resolve) => {
    die = resolve;
  });
  const channel: WorkerChannel = {
    async run(requests) {
      if (requests.some(({ bytes }) => bytes === deadly)) {
        dead = true;
        die();
      }
      const answer = real.run(requests);
      await Promise.race([answer, death]);
      if (dead) throw new ChannelClosed();
      return answer;
    },
  };
  return [channel, { run: channel.run }];
}

test('what a worker had in hand when it died is asked again one by one, and only the culprit is given up', async () => {
  const [deadly, ...others] = images;
  const { batcher, ask } = batcherOf(mortal(deadly), 1);
  const asked = [ask(deadly), ...others.map((bytes) => ask(bytes))];
  const ended = Promise.allSettled(asked);
  await until(() => batcher.queued === images.length);
  // The next worker dies of it as well, when it is alone with it.
  batcher.connect({ channels: mortal(deadly), long: real }, 1);
  await assertRejects(asked[0], 'crashes the model process');
  batcher.connect({ channels: mortal(deadly), long: real }, 1);
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

test('a worker that was gone before it was asked makes no request a suspect', async () => {
  const gone: WorkerChannel = { run: () => Promise.reject(new ChannelClosed()) };
  const { batcher, ask } = batcherOf([gone, gone]);
  const asked = ask(images[0]);
  await until(() => batcher.queued === 1);
  batcher.connect({ channels: [real], long: real }, 8);
  assert.equal(await asked, await alone(images[0]));
});

test('a worker that owes an answer beyond the batch timeout is ended', async () => {
  let killed = 0;
  const { ask, clock } = batcherOf([silent], 1, { batchTimeout: 30, deadline: 100, kill: () => killed++ });
  const lost = problem(ask(images[0]));
  await clock.advance(29);
  assert.is(killed, 0);
  await clock.advance(1);
  assert.is(killed, 1);
  await clock.advance(100 + 1000);
  assert.equal(await lost, [503, 'deadline_passed']);
});

test('an instance that hangs is found beside one that answers', async () => {
  let killed = 0;
  const { ask, clock } = batcherOf([silent, real], 1, { batchTimeout: 60, deadline: 2000, kill: () => killed++ });
  const lost = problem(ask(images[0]));
  for (let i = 0; i < 6; i++) {
    assert.is(killed, 0);
    assert.equal(await ask(images[1]), await alone(images[1]));
    await clock.advance(10);
  }
  assert.is(killed, 1);
  await clock.advance(3000);
  assert.equal(await lost, [503, 'deadline_passed']);
});

test('a request that waits is given up when its deadline can no longer be kept, one in hand after the grace period', async () => {
  const { batcher, ask, clock } = batcherOf([silent], 1, { deadline: 500 });
  const given: string[] = [];
  const inHand = problem(ask(images[0])).finally(() => given.push('in hand'));
  const waiting = problem(ask(images[1])).finally(() => given.push('waiting'));
  await clock.advance(499);
  assert.equal(given, []);
  await clock.advance(1);
  assert.equal([given, batcher.queued], [['waiting'], 0]);
  await clock.advance(999);
  assert.equal(given, ['waiting']);
  await clock.advance(1);
  assert.equal(given, ['waiting', 'in hand']);
  assert.equal(await Promise.all([inHand, waiting]), Array(2).fill([503, 'deadline_passed']));
});

test('a worker answers when it did a moment ago, or does when it is asked', async () => {
  const { batcher, ask, clock } = batcherOf([real], 1);
  assert.ok(await batcher.answers(800));
  await ask(images[0]);
  assert.ok(await batcher.answers(0));
  const hung = batcherOf([silent], 1);
  const answers = hung.batcher.answers(800);
  await hung.clock.advance(800);
  assert.not(await answers);
  await clock.advance(5000);
  assert.ok(await batcher.answers(800));
});

/** The real model, to which one of the images is long unless it may be. */
function refusing(long: Uint8Array): { channel: WorkerChannel; sent: number } {
  const seen = {
    sent: 0,
    channel: {
      async run(requests: readonly DetectRequest[]) {
        const isLong = requests.map(({ bytes, alone: own }) => bytes === long && !own);
        seen.sent += isLong.filter(Boolean).length;
        const { outcomes, times } = await real.run(requests);
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
  const { ask } = batcherOf([short.channel], 4, { long: model.channel() });
  const longs = Promise.all(Array.from({ length: 3 }, () => ask(long)));
  // The first stands still in hand, the others wait behind it.
  assert.equal(await Promise.all(others.map((bytes) => ask(bytes))), await Promise.all(others.map(alone)));
  assert.is(model.batches.length, 1);
  model.open();
  assert.equal(await longs, Array(3).fill(await alone(long)));
  assert.equal(
    model.batches.map((requests) => requests.map(({ alone: own }) => own)),
    [[true], [true], [true]],
  );
  // Each was sent in company no more than once.
  assert.is(short.sent, 3);
});

test('a long one that crashes the model process is given up, and those beside it are answered', async () => {
  const [long, ...others] = images;
  let connect = () => {};
  const process = () => {
    let die = () => {};
    const death = new Promise<never>((_, reject) => {
      die = () => reject(new ChannelClosed());
    });
    death.catch(() => {});
    const deadly: WorkerChannel = {
      run() {
        die();
        // As a supervisor does when a process has died.
        void setImmediate().then(() => connect());
        return death;
      },
    };
    const { channel } = refusing(long);
    return {
      channels: [{ run: (requests: readonly DetectRequest[]) => Promise.race([death, channel.run(requests)]) }],
      long: deadly,
    };
  };
  const { batcher, ask } = batcherOf([], 4);
  connect = () => batcher.connect(process(), 4);
  const lost = ask(long);
  const found = Promise.all(others.map((bytes) => ask(bytes)));
  connect();
  await assertRejects(lost, 'crashes the model process');
  assert.equal(await found, await Promise.all(others.map(alone)));
});

test.run();
