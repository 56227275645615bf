import { rm } from 'node:fs/promises';
import sharp from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readBundle } from '../../../src/serve/bundle.js';
import { Engine } from '../../../src/serve/engine/engine.js';
import { makeBundle, randomJpeg } from '../make_bundle.js';

const test = suite('engine');
const BUDGET_MS = 60_000;
let dir: string;
let engine: Engine;

test.before(async () => {
  dir = await makeBundle();
  const limits = { maxPixels: 1_000_000, maxSide: 2000 };
  engine = await Engine.open(await readBundle(dir), { threads: 1, sessions: 1, maxBatch: 2, ...limits });
});
test.after(async () => {
  await engine.close();
  await rm(dir, { recursive: true });
});

const detect = (bytes: Uint8Array, draw: boolean) =>
  engine.detect({ bytes, thresholds: {}, draw }, BUDGET_MS, new AbortController());

test('a picture many times larger than the input is answered, and drawn, in its own pixels', async () => {
  const bytes = await randomJpeg(4, 900, 540);
  const { width, height, detections, drawn } = await detect(bytes, true);
  assert.equal([width, height], [900, 540]);
  assert.ok(detections.some(({ box: [, , x2, y2] }) => x2 > 96 || y2 > 64));
  const png = await sharp(drawn).metadata();
  assert.equal([png.format, png.width, png.height], ['png', 900, 540]);
  assert.equal((await detect(bytes, false)).detections, detections);
});

test('says what it runs on', () => {
  assert.ok(['cpu', 'cuda'].includes(engine.info.provider));
  assert.is(engine.info.maxBatch, 2);
});

test.run();
