import sharp from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHECKED, checkPixels, decodeImage, ImageError, TakesLong } from '../../src/image/decode.js';
import { flatAvif, manyScans } from './make_hostile.js';

const test = suite('decode apart');

/** Looks as if it took 2 s, by its size and scans, and takes far less. */
const WITHIN = { decodeTimeout: 6000 };
let large: Buffer;
test.before(async () => {
  large = await manyScans(90, 3000, false);
});

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => assert.unreachable('it went through'),
    (error: unknown) => error,
  );
}

test('a process that does not start is no fault of the image', async () => {
  process.execArgv.push('--no-such-option');
  try {
    const error = await failure(decodeImage(large, WITHIN));
    assert.not.instance(error, ImageError);
    assert.match(String(error), 'does not start');
  } finally {
    process.execArgv.pop();
  }
});

test('what may take long gives the same pixels from a process of its own', async () => {
  const here = await decodeImage(large, CHECKED);
  const apart = await decodeImage(large, WITHIN);
  assert.equal([apart.width, apart.height], [here.width, here.height]);
  assert.ok(Buffer.from(apart.data).equals(here.data));
  await checkPixels(large, WITHIN);
  const fit = [64, 96] as const;
  const reduced = await decodeImage(large, { ...WITHIN, fit });
  assert.equal(reduced, await decodeImage(large, { ...CHECKED, fit }));
});

test('what takes longer than allowed is ended and refused, and what comes after it is not', async () => {
  const others = Array.from({ length: 3 }, () => decodeImage(large, WITHIN));
  const error = await failure(decodeImage(await flatAvif(2000), { decodeTimeout: 1, name: 'slow.avif' }));
  assert.instance(error, ImageError);
  assert.is((error as ImageError).fault, 'tooSlow');
  assert.match((error as Error).message, /^slow\.avif: expected an image that is decoded within 0\.001 s/);
  for (const { width } of await Promise.all(others)) assert.is(width, 3000);
  assert.is((await decodeImage(large, WITHIN)).width, 3000);
});

test('who asks for short work only is told instead', async () => {
  assert.instance(await failure(decodeImage(large, { ...WITHIN, short: true })), TakesLong);
  const jpeg = await sharp(Buffer.alloc(80 * 80 * 3, 99), { raw: { width: 80, height: 80, channels: 3 } })
    .jpeg()
    .toBuffer();
  assert.is((await decodeImage(jpeg, { ...WITHIN, short: true })).width, 80);
  // Refused without a library.
  assert.instance(await failure(decodeImage(Buffer.from('text'), { short: true })), ImageError);
});

test.run();
