import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BatchCostModel } from '../../../src/serve/batching/batch_cost_model.js';

const test = suite('batch_times');

/** Estimates after each size took `ms(size)` a few times. */
function learnt(maxBatch: number, ms: (size: number) => number): BatchCostModel {
  const times = new BatchCostModel(maxBatch);
  for (const size of times.sizes) for (let run = 0; run < 3; run++) times.record(size, ms(size));
  return times;
}

test('the batch is a size that waits, within the budget, with the least time for each image', () => {
  const costs = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 7, maxLength: 7 });
  fc.assert(
    fc.property(costs, fc.integer({ min: 1, max: 80 }), fc.integer({ min: 1, max: 300 }), (cost, waiting, budget) => {
      const ms = (size: number) => cost.slice(0, Math.log2(size) + 1).reduce((sum, step) => sum + step, 0);
      const times = learnt(64, ms);
      const best = times.best(waiting, budget);
      assert.ok(best === 1 || (best <= waiting && ms(best) <= budget));
      for (const size of times.sizes) {
        if (size <= waiting && ms(size) <= budget) assert.ok(ms(best) / best <= ms(size) / size / 0.97 + 1e-9);
      }
    }),
  );
});

test('batches that save nothing stay small', () => {
  assert.is(learnt(8, (size) => 10 * size).best(8, 1000), 1);
  assert.is(learnt(8, (size) => 10 + size).best(8, 1000), 8);
  assert.is(learnt(8, (size) => 10 + size).best(7, 1000), 4);
});

test('the first run of a size does not count, and a size never measured is tried', () => {
  const times = new BatchCostModel(4);
  times.record(1, 1000);
  assert.is(times.expected(1), 0);
  times.record(1, 10);
  assert.is(times.expected(1), 10);
  assert.is(times.expected(4), 40);
  assert.is(times.best(4, 1000), 2);
  assert.is(times.best(4, 15), 1);
});

test('the pace is that of the best batch', () => {
  assert.is(new BatchCostModel(8).pace, 0);
  assert.is(learnt(8, (size) => 10 + size).pace, 18 / 8);
  assert.is(learnt(8, (size) => size * size).pace, 1);
});

test('estimates follow what is measured', () => {
  const times = learnt(1, () => 100);
  for (let run = 0; run < 50; run++) times.record(1, 10);
  assert.ok(Math.abs(times.expected(1) - 10) < 1);
});

test('a size ruled out by a slow moment is tried again', () => {
  const times = learnt(2, (size) => (size === 1 ? 10 : 1000));
  assert.is(times.best(2, 5000), 1);
  for (let run = 0; run < 1000; run++) times.record(1, 10);
  assert.is(times.best(2, 5000), 2);
});

test.run();
