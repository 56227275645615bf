import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { mapConcurrent } from '../../src/base/concurrency.js';

const test = suite('concurrency');

const numbers = Array.from({ length: 30 }, (_, i) => i);

test('results keep the order and never more than the limit run', async () => {
  let running = 0;
  let most = 0;
  const results = await mapConcurrent(numbers, 3, async (n) => {
    most = Math.max(most, ++running);
    await sleep((n * 7) % 5);
    running--;
    return n * 2;
  });
  assert.equal(
    results,
    numbers.map((n) => n * 2),
  );
  assert.is(most, 3);
});

test('the first failure is thrown, nothing starts after it, nothing still runs', async () => {
  let started = 0;
  let running = 0;
  const work = mapConcurrent(numbers, 2, async (n) => {
    started++;
    running++;
    await sleep(1);
    running--;
    if (n === 4) throw new Error('four');
  });
  assert.is(await work.catch((error) => error.message), 'four');
  assert.is(running, 0);
  assert.ok(started <= 6, `${started} started`);
});

test('of several failures the first in time is thrown, whatever the order of the items', async () => {
  let failSecond = () => {};
  const second = new Promise<void>((resolve) => {
    failSecond = resolve;
  });
  const work = mapConcurrent([0, 1], 2, async (n) => {
    if (n === 0) await second;
    else queueMicrotask(failSecond);
    throw new Error(`failure of ${n}`);
  });
  assert.is(await work.catch((error) => error.message), 'failure of 1');
});

test('nothing to do is done at once', async () => {
  assert.equal(await mapConcurrent([], 4, async () => assert.unreachable()), []);
});

test.run();
