import { rm } from 'node:fs/promises';
import sharp from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readBundle } from '../../../src/serve/bundle.js';
import { UploadDetector } from '../../../src/serve/engine/upload_detector.js';
import { makeBundle, randomJpeg } from '../make_bundle.js';

const test = suite('upload detector');
let dir: string;
let model: UploadDetector;

test.before(async () => {
  dir = await makeBundle();
  model = await UploadDetector.open(await readBundle(dir), { threads: 1, maxPixels: 1_000_000, maxSide: 1500 });
});
test.after(async () => {
  await model.detector.close();
  await rm(dir, { recursive: true });
});

test('pictures that are refused leave the others of their batch as they would be alone', async () => {
  const good = await Promise.all([1, 2].map((seed) => randomJpeg(seed)));
  const wide = await sharp({ create: { width: 1600, height: 4, channels: 3, background: '#000' } })
    .png()
    .toBuffer();
  const bytes = [Buffer.from('no picture'), good[0], wide, good[1]];
  const { outcomes, times } = await model.detectBatch(bytes.map((each) => ({ bytes: each })));
  assert.equal(
    outcomes.map((outcome) => ('refused' in outcome ? outcome.refused.status : 200)),
    [422, 200, 413, 200],
  );
  const alone = await Promise.all(good.map((each) => model.detectBatch([{ bytes: each }])));
  assert.equal(
    [outcomes[1], outcomes[3]],
    alone.map((one) => one.outcomes[0]),
  );
  assert.ok(times.decode > 0 && times.inference > 0);
});

test('a batch of which nothing is left is answered without running the model', async () => {
  const { outcomes, times } = await model.detectBatch([{ bytes: Buffer.from('no picture') }]);
  assert.ok('refused' in outcomes[0]);
  assert.is(times.inference, 0);
});

test.run();
