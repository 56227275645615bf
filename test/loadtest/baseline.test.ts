import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../src/base/errors.js';
import { compareRuns, missedGate, readBaseline } from '../../src/loadtest/baseline.js';
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
