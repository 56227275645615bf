import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readJson } from '../../src/base/files.js';
import { withServer } from '../../src/pipeline/service_test/child.js';
import { attack, type Tally } from './fuzz/attack.js';
import { wholeImages } from './fuzz/images.js';
import { familyOf, residentBytes } from './fuzz/processes.js';
import { makeBundle } from './make_bundle.js';

const test = suite('fuzzing');
const SEED = Number(process.env.FUZZ_SEED ?? 1);
const REQUESTS = Number(process.env.FUZZ_REQUESTS ?? 10_000);

/** Until then heaps, pools and caches grow to their size. */
const WARM_UP = REQUESTS / 2;
/** How much later requests may add: pages the allocators keep. */
const GROWTH_BYTES = 24e6;
/** A small heap is collected often: what grows beyond it is a leak, which ends the process. */
const SMALL_HEAP = '--max-old-space-size=96';

const FLAGS = { port: 0, logLevel: 'error', maxPixels: 2_000_000, maxBytes: 1_000_000, maxFiles: 8 };

test('thousands of malformed requests and images: none crashes, hangs or is answered 5xx, and memory stays', async () => {
  const dir = await makeBundle();
  const image = await readFile(join(dir, 'test_image.jpg'));
  const images = await wholeImages();
  // Nobody learns where the service lives, nor reads its stack.
  const hidden = [dir, process.cwd(), 'node_modules', 'node:internal'];
  const flags = Object.entries(FLAGS).flatMap(([key, value]) => [`--serve.${key}`, String(value)]);
  process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} ${SMALL_HEAP}`;
  const { result, exitCode } = await withServer([dir, ...flags], async ({ url, pid }) => {
    const warm = await attack({ url, seed: SEED, from: 0, to: WARM_UP, images, hidden });
    const start = residentBytes(familyOf(pid));
    const tally = await attack({ url, seed: SEED, from: WARM_UP, to: REQUESTS, images, hidden });
    const growth = residentBytes(familyOf(pid)) - start;
    const metrics = await (await fetch(`${url}/metrics`)).text();
    const answer = await fetch(`${url}/predict`, { method: 'POST', body: image });
    return { metrics, tallies: [warm, tally], growth, answer: await answer.json() };
  });
  report(result.tallies, result.growth);
  assert.match(result.metrics, 'yolox_model_up{model="pattern@1"} 1');
  assert.not.match(result.metrics, /^yolox_model_restarts_total{.*} [1-9]/m);
  assert.ok(result.growth < GROWTH_BYTES, `${result.growth} bytes more`);
  assert.equal(result.answer, await readJson(join(dir, 'test_result.json')));
  assert.is(exitCode, 0);
  // Otherwise nothing but the refusal of requests was tested.
  const decoded = result.tallies.map((tally) => tally.get(200) ?? 0);
  assert.ok(decoded[0] + decoded[1] > 0.05 * REQUESTS);
  await rm(dir, { recursive: true });
});

function report(tallies: readonly Tally[], growth: number): void {
  const all = new Map<number | 'closed', number>();
  for (const [status, count] of tallies.flatMap((tally) => [...tally])) all.set(status, (all.get(status) ?? 0) + count);
  const counts = [...all].map(([status, count]) => `${status}: ${count}`).sort();
  console.log(`seed ${SEED}, ${counts.join(', ')}; ${(growth / 1e6).toFixed(1)} MB more memory`);
}

test.run();
