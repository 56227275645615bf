import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Budget } from '../../src/image/decode_budget.js';

const test = suite('decode budget');

test('what is under way never exceeds the sum, all is done in order of the calls, and failures give back', async () => {
  const work = fc.record({ cost: fc.integer({ min: 0, max: 15 }), turns: fc.nat(4), fails: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(work, { maxLength: 20 }), async (works) => {
      const budget = new Budget(10);
      const begun: number[] = [];
      let under = 0;
      const done = works.map(({ cost, turns, fails }, i) =>
        budget.spend(cost, async () => {
          begun.push(i);
          under += Math.min(cost, 10);
          assert.ok(under <= 10, `${under} at once`);
          for (let turn = 0; turn < turns; turn++) await Promise.resolve();
          under -= Math.min(cost, 10);
          if (fails) throw new Error('failed');
        }),
      );
      const ended = await Promise.allSettled(done);
      assert.equal(
        ended.map(({ status }) => status),
        works.map(({ fails }) => (fails ? 'rejected' : 'fulfilled')),
      );
      assert.equal(
        begun,
        [...begun].sort((a, b) => a - b),
      );
    }),
  );
});

test.run();
