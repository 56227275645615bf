import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readJson, writeJson } from '../../src/base/files.js';
import type { ProviderChoice } from '../../src/detect/providers.js';
import {
  choose,
  type Measurement,
  readTuning,
  TUNING_FILE,
  thisMachine,
  writeTuning,
} from '../../src/detect/tuning.js';

const test = suite('tuning');
let dir: string;
let said: string[];

test.before.each(async () => {
  dir = await mkdtemp(join(tmpdir(), 'yolox-tuning-'));
  said = [];
});
test.after.each(async () => {
  await rm(dir, { recursive: true });
});

const read = (provider: ProviderChoice = 'auto') => readTuning(dir, provider, (reason) => said.push(reason));

const chosen = { instances: 2, threads: 1, maxBatch: 8 };
const tuned = () => ({
  machine: thisMachine('auto'),
  goal: 'throughput' as const,
  chosen,
  measured: [{ ...chosen, rate: 100, latency: 12.5 }],
});

test('what was written is read, and nothing else is left in the folder', async () => {
  const path = await writeTuning(dir, tuned());
  assert.is(path, join(dir, TUNING_FILE));
  assert.equal(await read(), chosen);
  assert.equal(await readdir(dir), [TUNING_FILE]);
  assert.equal(said, []);
});

test('without a file there is no tuning, and nothing to say', async () => {
  assert.is(await read(), undefined);
  assert.equal(said, []);
});

test('another machine or provider passes it over and says so', async () => {
  const { machine } = tuned();
  for (const other of [{ cpu: 'another' }, { cores: machine.cores + 1 }, { provider: 'cuda' }]) {
    await writeTuning(dir, { ...tuned(), machine: { ...machine, ...other } });
    assert.is(await read(), undefined);
    assert.match(said.pop() ?? '', /tuning\.json: ignored, because it was measured on another machine/);
  }
  await writeTuning(dir, tuned());
  assert.is(await read('cpu'), undefined);
});

test('a file of an earlier version, whose instances were called sessions, is read', async () => {
  const path = await writeTuning(dir, tuned());
  const { instances, ...rest } = chosen;
  await writeJson(path, { ...(await readJson<object>(path)), chosen: { ...rest, sessions: instances } });
  assert.equal(await read(), chosen);
});

test('a damaged file is ignored with a message', async () => {
  const path = await writeTuning(dir, tuned());
  const good = await readJson<object>(path);
  for (const bad of [{ ...good, format: 2 }, { ...good, chosen: { ...chosen, instances: 0 } }, []]) {
    await writeJson(path, bad);
    assert.is(await read(), undefined);
    assert.match(said.pop() ?? '', /tuning\.json: ignored: /);
  }
  await writeFile(path, '{"format": 1,');
  assert.is(await read(), undefined);
  assert.match(said.pop() ?? '', /ignored: .*valid JSON/);
});

const measurements: fc.Arbitrary<Measurement[]> = fc.array(
  fc.record({
    instances: fc.integer({ min: 1, max: 16 }),
    threads: fc.integer({ min: 1, max: 16 }),
    maxBatch: fc.constantFrom(1, 8),
    rate: fc.double({ min: 1, max: 1000, noNaN: true }),
    latency: fc.double({ min: 1, max: 1000, noNaN: true }),
  }),
  { minLength: 1, maxLength: 12 },
);

test('the choice is at the goal within noise; nothing as good at it needs less memory, or as much and is better otherwise', () => {
  fc.assert(
    fc.property(measurements, fc.constantFrom('throughput', 'latency'), (measured, goal) => {
      const byRate = ({ rate }: Measurement) => 1 / rate;
      const byLatency = ({ latency }: Measurement) => latency;
      const [cost, other] = goal === 'latency' ? [byLatency, byRate] : [byRate, byLatency];
      const inHand = ({ instances, maxBatch }: Measurement) => instances * maxBatch;
      const chosen = choose(measured, goal);
      const equal = measured.filter((one) => cost(one) <= 1.1 * Math.min(...measured.map(cost)));
      assert.ok(equal.includes(chosen));
      assert.not(equal.some((one) => inHand(one) < inHand(chosen)));
      assert.not(equal.some((one) => inHand(one) === inHand(chosen) && other(one) < other(chosen)));
    }),
  );
});

test.run();
