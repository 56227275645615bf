import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { arrivalTimes } from '../../src/loadtest/arrivals.js';
import { isSteady, Recorder } from '../../src/loadtest/recorder.js';
import { highestRate } from '../../src/loadtest/search.js';
import { parseServerTiming } from '../../src/loadtest/server_timing.js';

const test = suite('load figures');
const good = { status: 200, serverTiming: undefined };

test('percentiles are those of the sorted latencies, to 0.1 %', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 20_000_000 }), { minLength: 1, maxLength: 300 }), (list) => {
      const recorder = new Recorder(1);
      for (const us of list) recorder.add({ due: 1, sent: 1, done: 1 + us / 1000 }, good);
      const { latency, requests } = recorder.result();
      const sorted = [...list].sort((a, b) => a - b);
      assert.is(requests, list.length);
      for (const [p, key] of [
        [0.5, 'p50_ms'],
        [0.9, 'p90_ms'],
        [0.99, 'p99_ms'],
        [1, 'max_ms'],
      ] as const) {
        const exact = sorted[Math.ceil(p * list.length - 1e-9) - 1] / 1000;
        assert.ok(Math.abs((latency?.[key] ?? 0) - exact) <= exact * 0.001 + 0.001, `${key} ${exact}`);
      }
    }),
    { numRuns: 30 },
  );
});

test('latency counts from the time due; what is due outside the measured time does not count', () => {
  const recorder = new Recorder(1);
  recorder.add({ due: 100, sent: 300, done: 310 }, good);
  recorder.add({ due: -1, sent: 5, done: 450 }, good);
  recorder.add({ due: 990, sent: 990, done: 1500 }, good);
  recorder.add({ due: 20, sent: 20, done: 30 }, { error: 'ECONNRESET' });
  const { requests, latency, throughput, send_delay, errors, windows } = recorder.result();
  assert.is(requests, 3);
  assert.equal(errors, { ECONNRESET: 1 });
  assert.is(latency?.count, 2);
  assert.ok(Math.abs((latency?.p50_ms ?? 0) - 210) < 0.3);
  assert.ok(Math.abs((send_delay?.max_ms ?? 0) - 200) < 0.3);
  // Answers at 310 and 450 ms; that at 1500 ms came after the end.
  assert.is(throughput, 2);
  assert.equal(
    windows.flatMap(({ throughput }, i) => (throughput > 0 ? [i] : [])),
    [3, 4],
  );
});

test('steady: the last three windows lie within 10 %', () => {
  assert.ok(isSteady([1, 100, 95, 91]));
  assert.not.ok(isSteady([100, 100, 89]));
  assert.not.ok(isSteady([0, 0, 0]));
  assert.not.ok(isSteady([100, 100]));
});

test('constant arrivals are evenly spaced', () => {
  assert.equal([...arrivalTimes('constant', 4, 1, 0)].map(Math.round), [0, 250, 500, 750]);
});

test('Poisson arrivals ascend, repeat by seed, and have the rate and the spread that the name says', () => {
  const times = [...arrivalTimes('poisson', 100, 100, 1)];
  assert.equal(times, [...arrivalTimes('poisson', 100, 100, 1)]);
  assert.not.equal(times, [...arrivalTimes('poisson', 100, 100, 2)]);
  const gaps = times.slice(1).map((time, i) => time - times[i]);
  assert.ok(gaps.every((gap) => gap >= 0) && (times.at(-1) ?? 0) < 100_000);
  // 10,000 expected, standard deviation 100.
  assert.ok(Math.abs(times.length - 10_000) < 400);
  const mean = gaps.reduce((a, b) => a + b) / gaps.length;
  const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length);
  assert.ok(Math.abs(deviation / mean - 1) < 0.05);
});

test('the search ends within 5 % below the limit, from wherever it starts', async () => {
  const cases = fc.tuple(fc.double({ min: 1, max: 1000, noNaN: true }), fc.double({ min: 0.02, max: 50, noNaN: true }));
  await fc.assert(
    fc.asyncProperty(cases, async ([limit, factor]) => {
      const found = await highestRate(async (rate) => rate <= limit, { start: limit * factor, lowest: 0 });
      assert.ok(found <= limit && found >= limit / 1.05, `${found} of ${limit}`);
    }),
  );
  const tried: number[] = [];
  const refuse = async (rate: number) => tried.push(rate) < 0;
  assert.is(await highestRate(refuse, { start: 10, lowest: 2 }), 0);
  assert.equal(tried, [10, 5, 2.5]);
});

test('Server-Timing: durations by name', () => {
  assert.equal(parseServerTiming('decode;dur=3.25, total; desc="all, of it; dur=9";dur=11,cache'), [
    ['decode', 3.25],
    ['total', 11],
  ]);
  assert.equal(parseServerTiming(undefined), []);
  assert.equal(parseServerTiming(';dur=1, x;dur=, y;dur=1.2.3'), []);
});

test('a server that makes up names does not fill the memory', () => {
  const recorder = new Recorder(1);
  for (let i = 0; i < 100; i++) {
    recorder.add({ due: 0, sent: 0, done: 1 }, { status: 200, serverTiming: `stage${i};dur=1` });
  }
  assert.is(Object.keys(recorder.result().server).length, 32);
});

test.run();
