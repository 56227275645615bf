import { rm } from 'node:fs/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { configSchema } from '../../src/config/schema.js';
import { readBundle } from '../../src/detect/bundle.js';
import { candidates, measureCandidates } from '../../src/serve/tune.js';
import { makeBundle } from './make_bundle.js';

const test = suite('tune');

test('the candidates share out all cores, one instance first and one thread each last', () => {
  for (const cores of [1, 2, 6, 7, 16]) {
    const tunings = candidates(cores);
    for (const { instances, threads } of tunings) assert.is(instances * threads, cores);
    assert.equal([tunings[0].instances, tunings.at(-1)?.threads], [1, 1]);
    assert.is(new Set(tunings.map((tuning) => JSON.stringify(tuning))).size, tunings.length);
  }
  assert.ok(candidates(96).every(({ instances }) => instances <= 16));
});

test('every candidate is measured on the bundle, as it is served', async () => {
  const dir = await makeBundle();
  const tunings = [
    { instances: 1, threads: 2, maxBatch: 1 },
    { instances: 2, threads: 1, maxBatch: 4 },
  ];
  const seen: [number, number][] = [];
  const options = { seconds: 0.4, onProgress: (done: number, total: number) => void seen.push([done, total]) };
  const { measured, provider } = await measureCandidates(
    await readBundle(dir),
    { ...configSchema.parse({}).serve, provider: 'cpu' },
    options,
    tunings,
  );
  await rm(dir, { recursive: true });
  assert.is(provider, 'cpu');
  assert.equal(
    measured.map(({ rate, latency, ...tuning }) => tuning),
    tunings,
  );
  for (const { rate, latency } of measured) {
    assert.ok(rate > 0 && Number.isFinite(rate));
    assert.ok(latency > 0 && Number.isFinite(latency));
  }
  assert.equal(seen.at(-1), [4, 4]);
});

test.run();
