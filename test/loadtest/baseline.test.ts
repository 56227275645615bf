import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../src/base/errors.js';
import { checkBaseline, compareRuns, missedGate, type Plan, readBaseline } from '../../src/loadtest/baseline.js';
import type { Load, LoadTestResult } from '../../src/loadtest/result.js';
import { loadResult, runResult } from './results.js';

const test = suite('load baseline');
const root = mkdtempSync(join(tmpdir(), 'load-baseline-'));
process.on('exit', () => rmSync(root, { recursive: true, force: true }));

const closed = (concurrency: number, goodput: number, ms: number) =>
  runResult({ mode: 'closed', concurrency }, goodput, ms);

test('compares runs of the same load, as ratios', () => {
  const comparisons = compareRuns(
    { ...loadResult([closed(1, 50, 10), closed(4, 80, 30)]), slo: { p99_ms: 100, rate: 30 } },
    { ...loadResult([closed(4, 100, 20), closed(8, 100, 20)]), slo: { p99_ms: 100, rate: 40 } },
  );
  assert.equal(comparisons, [
    { name: 'closed, 4 in flight', throughput: 0.8, p50: 1.5, p99: 1.5 },
    { name: 'p99 < 100 ms', throughput: 0.75 },
  ]);
});

test('the gate lets through what is worse by no more than its share', () => {
  const before = loadResult([closed(1, 100, 10)]);
  const misses = (goodput: number, ms: number) =>
    missedGate(compareRuns(loadResult([closed(1, goodput, ms)]), before), 0.1).length;
  assert.equal([misses(91, 10.9), misses(89, 10), misses(100, 11.1), misses(200, 1)], [0, 1, 1, 0]);
  const silent = loadResult([{ ...closed(1, 0, 1), latency: undefined }]);
  assert.is(missedGate(compareRuns(silent, before), 0.1).length, 1);
});

/** What a plan is refused for, or the notices. */
function check(baseline: LoadTestResult, plan: Partial<Plan>): string {
  const full: Plan = { mode: 'closed', body: 'raw', images_sha256: baseline.images_sha256, loads: [], ...plan };
  try {
    return checkBaseline('old.json', baseline, full).join('; ');
  } catch (error) {
    assert.instance(error, UserError);
    return (error as UserError).message;
  }
}

test('a baseline of another load is refused, naming both', () => {
  const before = loadResult([closed(1, 100, 10), closed(4, 100, 10)], 'sweep');
  const loads: Load[] = [{ mode: 'closed', concurrency: 4 }];
  assert.is(check(before, { loads }), '');
  assert.match(
    check(before, { loads: [{ mode: 'closed', concurrency: 8 }] }),
    /closed, 8 in flight.*closed, 4 in flight/,
  );
  const open: Load = { mode: 'open', rate: 30, arrivals: 'poisson', max_in_flight: 10 };
  assert.match(check(before, { mode: 'open', loads: [open] }), /open, 30\.0\/s poisson.*closed, 1 in flight/);
  assert.match(check(before, { mode: 'soak', loads }), /mode soak, received "mode sweep"/);
  assert.match(check(before, { mode: 'slo', p99_ms: 100 }), /mode slo, received "mode sweep"/);
  assert.match(check(before, { loads, body: 'form' }), /a form body, received "a raw body"/);
  const searched = { ...loadResult([], 'slo'), slo: { p99_ms: 200, rate: 10 } };
  assert.match(check(searched, { mode: 'slo', p99_ms: 100 }), /p99 < 100 ms, received "p99 < 200 ms"/);
  assert.is(check(searched, { mode: 'slo', p99_ms: 200 }), '');
});

test('a baseline that answered nothing is none; other images are told', () => {
  const loads: Load[] = [{ mode: 'closed', concurrency: 1 }];
  assert.match(check(loadResult([closed(1, 0, 1)]), { loads }), /that was answered/);
  const unreached = { ...loadResult([], 'slo'), slo: { p99_ms: 100, rate: 0 } };
  assert.match(check(unreached, { mode: 'slo', p99_ms: 100 }), /a rate that was reached/);
  const others = check(loadResult([closed(1, 5, 1)]), { loads, images_sha256: 'other' });
  assert.is(others, 'old.json was measured with other images');
});

test('reads what was written, and names what is none', async () => {
  const path = join(root, 'result.json');
  const result = loadResult([closed(1, 100, 10)]);
  writeFileSync(path, JSON.stringify(result));
  assert.equal(compareRuns(result, await readBaseline(path))[0].throughput, 1);
  for (const content of ['{"format":2,"runs":[]}', '{"format":1,"runs":[{"load":{}}]}', '[]', '{']) {
    writeFileSync(path, content);
    const error = await readBaseline(path).then(
      () => undefined,
      (thrown) => thrown,
    );
    assert.instance(error, UserError, content);
    assert.match(error.message, path);
  }
});

test.run();
