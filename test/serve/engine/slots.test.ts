import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Slots } from '../../../src/serve/engine/slots.js';

const test = suite('slots');

test('never more are held than there are, in the order they were asked for, and none is lost', async () => {
  const plans = fc.array(fc.record({ abort: fc.boolean(), held: fc.integer({ min: 0, max: 5 }) }), { maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), plans, async (count, plan) => {
      const slots = new Slots(count);
      let held = 0;
      const served: number[] = [];
      const gone: number[] = [];
      const work = plan.map(async ({ abort, held: turns }, i) => {
        const controller = new AbortController();
        const taken = slots.take(controller.signal);
        if (abort && i >= count) controller.abort('gone');
        try {
          await taken;
        } catch (reason) {
          assert.is(reason, 'gone');
          gone.push(i);
          return;
        }
        assert.ok(++held <= count);
        served.push(i);
        for (let turn = 0; turn < turns; turn++) await Promise.resolve();
        held--;
        slots.give();
      });
      await Promise.all(work);
      assert.equal(
        served,
        served.toSorted((a, b) => a - b),
      );
      assert.is(served.length + gone.length, plan.length);
      assert.is(slots.waiting, 0);
      for (let i = 0; i < count; i++) await slots.take(new AbortController().signal);
    }),
  );
});

test('whoever has gone before asking gets none', async () => {
  const slots = new Slots(1);
  assert.is(await slots.take(AbortSignal.abort('gone')).catch((reason) => reason), 'gone');
  await slots.take(new AbortController().signal);
});

test.run();
