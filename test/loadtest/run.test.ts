import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../src/base/errors.js';
import { ProcessSampler } from '../../src/loadtest/process_use.js';
import { failuresOf } from '../../src/loadtest/result.js';
import { checkTarget, closedLoop, openLoop } from '../../src/loadtest/run.js';
import { targetAt, withLocalServer } from './local_server.js';

const test = suite('load runs');
const options = { seconds: 0.4, warmupSeconds: 0 };
const open = { ...options, arrivals: 'constant' as const, maxInFlight: 1000, seed: 0 };

/** Stands still once for `ms`, at the request `nth`, as a server in a long garbage collection does. */
function stallOnce(nth: number, ms: number) {
  let count = 0;
  let stalledUntil = 0;
  return (_: unknown, response: ServerResponse) => {
    if (++count === nth) stalledUntil = performance.now() + ms;
    setTimeout(() => response.end(), Math.max(0, stalledUntil - performance.now()));
  };
}

test('what waits behind a stall counts in an open loop, and is omitted by a closed one', async () => {
  const seconds = 1.2;
  const byClock = await withLocalServer(stallOnce(20, 400), (url) =>
    openLoop(targetAt(url), { ...open, seconds, rate: 100 }),
  );
  const byAnswer = await withLocalServer(stallOnce(20, 400), (url) =>
    closedLoop(targetAt(url), { ...options, seconds, concurrency: 1 }),
  );
  // Of 120 requests about 25 are due in the stall's first 250 ms, so must wait 150 ms or longer.
  assert.is(byClock.requests, 120);
  assert.ok((byClock.latency?.p90_ms ?? 0) >= 150);
  assert.ok((byAnswer.latency?.max_ms ?? 0) >= 395);
  assert.ok((byAnswer.latency?.p90_ms ?? 0) < 150);
});

test('a wait for the limit in flight counts and is reported', async () => {
  const slow = (_: unknown, response: ServerResponse) => setTimeout(() => response.end(), 50);
  const run = await withLocalServer(slow, (url) => openLoop(targetAt(url), { ...open, rate: 100, maxInFlight: 2 }));
  assert.is(run.requests, 40);
  assert.is(run.in_flight_max, 2);
  assert.ok(run.capped > 0);
  // 40 requests, two at a time, take 20 × 50 ms; the last was due after 390 ms.
  assert.ok((run.latency?.max_ms ?? 0) >= 550);
  assert.is(run.statuses['200'], 40);
});

test('posts the bodies in turns over as many connections as requests in flight', async () => {
  const lengths = new Map<string, number>();
  await withLocalServer(
    (request, response) => {
      const key = `${request.method} ${request.url} ${request.headers['content-length']} ${request.headers['x-key']}`;
      lengths.set(key, (lengths.get(key) ?? 0) + 1);
      response.end();
    },
    async (url, connections) => {
      const target = { ...targetAt(`${url}?max=5`), headers: { 'x-key': 'secret' } };
      const run = await closedLoop(target, { ...options, concurrency: 3 });
      assert.ok(connections() <= 3);
      assert.is(run.in_flight_max, 3);
      assert.ok(Math.abs(run.requests - [...lengths.values()].reduce((a, b) => a + b)) <= 3);
    },
  );
  assert.equal([...lengths.keys()].sort(), ['POST /predict?max=5 5 secret', 'POST /predict?max=5 6 secret']);
  const [first, second] = [...lengths.values()];
  assert.ok(Math.abs(first - second) <= 1);
});

test('counts answers by status; latencies are those of 2xx', async () => {
  let count = 0;
  const alternating = (_: unknown, response: ServerResponse) => {
    if (++count % 2 === 0) setTimeout(() => response.writeHead(200, { 'server-timing': 'total;dur=7' }).end(), 20);
    else response.writeHead(503).end();
  };
  const run = await withLocalServer(alternating, (url) => closedLoop(targetAt(url), { ...options, concurrency: 2 }));
  const { 200: good, 503: refused } = run.statuses;
  assert.is(good + refused, run.requests);
  assert.equal(run.errors, {});
  assert.is(failuresOf(run), refused);
  assert.is(run.latency?.count, good);
  assert.ok(run.latency && run.latency.p50_ms >= 19);
  assert.ok(run.goodput < run.throughput);
  assert.is(run.server.total.count, good);
  assert.ok(Math.abs(run.server.total.p99_ms - 7) < 0.01);
});

test('requests of the warm-up are sent and not counted', async () => {
  let count = 0;
  const run = await withLocalServer(
    (_, response) => {
      count++;
      response.end();
    },
    (url) => openLoop(targetAt(url), { ...open, rate: 40, seconds: 0.5, warmupSeconds: 0.25 }),
  );
  assert.is(run.requests, 20);
  assert.is(count, 30);
});

test('a dead server and one that never answers are errors by kind', async () => {
  const dead = await withLocalServer(
    () => {},
    async (url) => url,
  );
  const refused = await closedLoop(targetAt(dead), { ...options, concurrency: 2 });
  assert.equal(Object.keys(refused.errors), ['ECONNREFUSED']);
  assert.is(refused.throughput, 0);
  assert.is(refused.latency, undefined);

  const mute = await withLocalServer(
    () => {},
    (url) => openLoop(targetAt(url, 0.2), { ...open, rate: 10 }),
  );
  assert.equal(mute.errors, { UND_ERR_HEADERS_TIMEOUT: 4 });
});

test('samples a process', async () => {
  const quick = (_: unknown, response: ServerResponse) => response.end();
  const run = await withLocalServer(quick, (url) =>
    closedLoop(targetAt(url), { ...options, concurrency: 1, pid: process.pid }),
  );
  assert.ok(run.process && run.process.cpu_cores > 0);
  assert.ok(run.process.rss_start_mb > 10 && run.process.rss_max_mb >= run.process.rss_end_mb);
});

test('sums over a process and all below it', async () => {
  const hold = (mb: number) => `const held = Buffer.alloc(${mb} * 2 ** 20, 1)`;
  const wait = 'console.log(held.length); process.stdin.resume()';
  const child = `${hold(60)}; ${wait}`;
  // A process, its child and its child's child, each of which holds memory of its own.
  const middle = `${hold(60)}; const { spawn } = require('node:child_process');
    spawn(process.execPath, ['-e', ${JSON.stringify(child)}], { stdio: 'inherit' }); process.stdin.resume()`;
  const top = `${hold(60)}; const { spawn } = require('node:child_process');
    spawn(process.execPath, ['-e', ${JSON.stringify(middle)}], { stdio: 'inherit' }); process.stdin.resume()`;
  const tree = spawn(process.execPath, ['-e', top], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    await once(tree.stdout, 'data');
    const sampler = new ProcessSampler(tree.pid as number, 20, () => performance.now());
    await sleep(100);
    assert.ok((sampler.stop(Number.POSITIVE_INFINITY)?.rss_start_mb ?? 0) > 180);
  } finally {
    // At the end of their common input all three end.
    tree.stdin.end();
    await once(tree, 'exit');
  }
});

test('an interrupted run tells what was measured until then, by the clock and by answers', async () => {
  const quick = (_: unknown, response: ServerResponse) => response.end();
  const soon = () => AbortSignal.timeout(1300);
  await withLocalServer(quick, async (url) => {
    const long = { seconds: 60, warmupSeconds: 0, windows: 60 };
    const early = { ...long, warmupSeconds: 50, concurrency: 1 };
    const [warming, ...runs] = await Promise.all([
      closedLoop(targetAt(url), { ...early, signal: soon() }),
      closedLoop(targetAt(url), { ...long, concurrency: 2, signal: soon() }),
      openLoop(targetAt(url), { ...open, ...long, rate: 100, signal: soon() }),
      // The second is due in half a minute: the wait ends as well.
      openLoop(targetAt(url), { ...open, ...long, rate: 0.03, signal: soon() }),
    ]);
    for (const { interrupted, seconds, windows } of runs) {
      assert.ok(interrupted);
      assert.ok(seconds > 0 && seconds < 30);
      // Whole windows only.
      assert.is(windows.length, Math.floor(seconds));
    }
    const [, byClock] = runs;
    assert.ok(byClock.goodput > 0 && byClock.requests < 100 * byClock.seconds + 2);
    assert.equal([warming.seconds, warming.throughput, warming.requests], [0, 0, 0]);
  });
});

test('a process that is not there, and a target that refuses, are named', async () => {
  const problem = async (promise: Promise<unknown>, message: RegExp) => {
    const error = await promise.then(
      () => undefined,
      (thrown) => thrown,
    );
    assert.instance(error, UserError);
    assert.match(error.message, message);
  };
  const refuse = (_: unknown, response: ServerResponse) => response.writeHead(415).end();
  await withLocalServer(refuse, async (url) => {
    await problem(closedLoop(targetAt(url), { ...options, concurrency: 1, pid: 2 ** 30 }), /--pid.*running process/);
    await problem(checkTarget(targetAt(url)), /image 1: expected.*415/);
  });
});

test.run();
