import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memoryGrowth } from '../../src/loadtest/growth.js';
import type { ProcessUse } from '../../src/loadtest/result.js';
import { passesGrowth } from '../../src/loadtest/soak.js';
import { runResult } from './results.js';

const test = suite('growth of memory');

function useOf(rss: readonly number[]): ProcessUse {
  const samples = rss.map((rss_mb, i) => ({ at_s: 10 * (i + 1), cpu_cores: 1, rss_mb }));
  return { cpu_cores: 1, rss_start_mb: rss[0], rss_end_mb: rss[0], rss_max_mb: rss[0], samples };
}

test('the trend is that of the samples, whatever a quarter of them says', () => {
  const cases = fc.record({
    start: fc.double({ min: 50, max: 2000, noNaN: true }),
    slope: fc.double({ min: -0.05, max: 0.05, noNaN: true }),
    count: fc.integer({ min: 10, max: 60 }),
    burst: fc.double({ min: 0, max: 5000, noNaN: true }),
    every: fc.integer({ min: 4, max: 9 }),
  });
  fc.assert(
    fc.property(cases, ({ start, slope, count, burst, every }) => {
      const line = (i: number) => start + slope * 10 * (i + 1);
      const flat = useOf(Array.from({ length: count }, (_, i) => line(i)));
      const whole = memoryGrowth(flat);
      assert.ok(Math.abs((whole?.share ?? 9) - (line(count - 1) / line(0) - 1)) < 1e-9);
      // Bursts at regular intervals have no trend of their own.
      const bursts = useOf(Array.from({ length: count }, (_, i) => line(i) + (i % every === 2 ? burst : 0)));
      assert.ok(Math.abs((memoryGrowth(bursts)?.mb_per_hour ?? 0) - 3600 * slope) < 3600 * 0.05 + 1e-6);
    }),
    { numRuns: 50 },
  );
});

test('a leak under a sawtooth is seen, and the gate stops it', () => {
  const sawtooth = (leak: number) =>
    useOf(Array.from({ length: 60 }, (_, i) => 200 + 30 * ((i % 7) / 7) + leak * (i / 59)));
  const run = runResult({ mode: 'closed', concurrency: 1 }, 10, 10);
  const growths = [0, 20].map((leak) => ({ ...run, growth: memoryGrowth(sawtooth(leak)) }));
  assert.ok(Math.abs(growths[0].growth?.share ?? 9) < 0.01);
  assert.ok(Math.abs((growths[1].growth?.share ?? 0) - 0.1) < 0.02);
  assert.equal(
    growths.map((one) => passesGrowth(one, 0.02)),
    [true, false],
  );
});

test('too few samples say nothing, and so do not pass', () => {
  const growth = memoryGrowth(useOf(new Array(9).fill(100)));
  assert.is(growth, undefined);
  assert.not.ok(passesGrowth({ ...runResult({ mode: 'closed', concurrency: 1 }, 1, 1), growth }, 1));
});

test.run();
