import { rm } from 'node:fs/promises';
import sharp from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readBundle } from '../../../src/detect/bundle.js';
import { OnnxDetector } from '../../../src/detect/onnx_detector.js';
import type { DetectRequest } from '../../../src/serve/detect_request.js';
import { detectBatch } from '../../../src/serve/worker/detect_batch.js';
import { manyScans } from '../../image/make_hostile.js';
import { makeTiff } from '../../image/make_tiff.js';
import { makeBundle, randomJpeg } from '../make_bundle.js';

const test = suite('detect batch');
let dir: string;
let detector: OnnxDetector;

test.before(async () => {
  dir = await makeBundle();
  detector = await OnnxDetector.open(await readBundle(dir), { threads: 1 });
});
test.after(async () => {
  await detector.close();
  await rm(dir, { recursive: true });
});

const limits = { maxPixels: 1_000_000, maxSide: 1500, decodeTimeout: 30_000 };
const run = (requests: DetectRequest<Uint8Array>[]) => detectBatch(detector, requests, limits);

test('images that are refused leave the others of their batch as they would be alone', async () => {
  const good = await Promise.all([1, 2].map((seed) => randomJpeg(seed)));
  const wide = await sharp({ create: { width: 1600, height: 4, channels: 3, background: '#000' } })
    .png()
    .toBuffer();
  const bytes = [Buffer.from('no image'), good[0], wide, good[1]];
  const { outcomes, times } = await run(bytes.map((each) => ({ bytes: each })));
  assert.equal(
    outcomes.map((outcome) => ('refused' in outcome ? outcome.refused.code : 'found')),
    ['undecodable', 'found', 'too_many_pixels', 'found'],
  );
  const alone = await Promise.all(good.map((each) => run([{ bytes: each }])));
  assert.equal(
    [outcomes[1], outcomes[3]],
    alone.map((one) => one.outcomes[0]),
  );
  assert.ok(times.decode > 0 && times.inference > 0);
});

test('what takes long is left for later, unless it is alone', async () => {
  const limits = {
    maxPixels: 20_000_000,
    maxSide: 5000,
    decodeTimeout: 6000,
  };
  const strict = (requests: DetectRequest<Uint8Array>[]) => detectBatch(detector, requests, limits);
  const [long, good] = [await manyScans(90, 3000, false), await randomJpeg(1)];
  const damaged = makeTiff({ more: [[259, 3, [9999]]] });
  const first = await strict([{ bytes: long }, { bytes: good }, { bytes: damaged, draw: true }]);
  assert.equal([first.outcomes[0], first.outcomes[2]], [{ long: true }, { long: true }]);
  assert.ok('detections' in first.outcomes[1]);
  const [again] = (await strict([{ bytes: long, alone: true }])).outcomes;
  assert.ok('detections' in again);
  assert.equal([again.width, again.height], [3000, 3000]);
  const [refused] = (await strict([{ bytes: damaged, alone: true }])).outcomes;
  assert.ok('refused' in refused && refused.refused.code === 'undecodable');
  assert.match(String(refused.refused.received), '9999');
});

test('a batch of which nothing is left is answered without running the model', async () => {
  const { outcomes, times } = await run([{ bytes: Buffer.from('no image') }]);
  assert.ok('refused' in outcomes[0]);
  assert.is(times.inference, 0);
});

test('each image of a batch keeps its own thresholds', async () => {
  const bytes = await randomJpeg(3);
  const { outcomes } = await run([
    { bytes, thresholds: { maxDetections: 1 } },
    { bytes },
    { bytes, thresholds: { confidence: 1 } },
  ]);
  const [one, all, none] = outcomes.map((outcome) => 'detections' in outcome && outcome.detections);
  assert.ok(all);
  assert.equal([one, none], [all.slice(0, 1), []]);
});

test('an image many times larger than the input is answered, and drawn, in its own pixels', async () => {
  const bytes = await randomJpeg(4, 900, 540);
  const { outcomes: kept } = await run([{ bytes, draw: true }]);
  assert.equal(kept, [{ long: true }]);
  const { outcomes } = await run([{ bytes, draw: true, alone: true }, { bytes }]);
  const [drawn, plain] = outcomes;
  assert.ok('detections' in drawn && 'detections' in plain);
  assert.equal([drawn.width, drawn.height], [900, 540]);
  assert.ok(drawn.detections.some(({ box: [, , x2, y2] }) => x2 > 96 || y2 > 64));
  const png = await sharp(drawn.drawn).metadata();
  assert.equal([png.format, png.width, png.height], ['png', 900, 540]);
  assert.equal(plain.detections, drawn.detections);
  assert.is(plain.drawn, undefined);
});

test.run();
