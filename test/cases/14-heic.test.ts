import { readFile } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { checkPixels, decodeImage, ImageError } from '../../src/image/decode.js';
import { ApiError } from '../../src/serve/api_error.js';
import { decodeUpload } from '../../src/serve/worker/detect_batch.js';
import { caseFile, caseSuite } from './helpers.js';

const NAME = '14-heic';
const test = caseSuite(NAME);

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => assert.unreachable('it was decoded'),
    (error: unknown) => error,
  );
}

test('the refusal names HEIC and HEVC and the remedy, whatever the file is called', async () => {
  for (const name of ['IMG_4848.HEIC', 'IMG_4848.jpeg']) {
    for (const read of [decodeImage, checkPixels]) {
      const error = await failure(read(caseFile(NAME, name)));
      assert.instance(error, ImageError);
      const { message } = error as ImageError;
      assert.match(message, /^.*IMG_4848\.\w+: expected an image \(JPEG, PNG, WebP, GIF, TIFF, AVIF or BMP\)/);
      assert.match(message, /received "HEIC, that is HEIF coded with HEVC"\. Convert it to JPEG or PNG\.$/);
      assert.not.match(message, 'bad seek');
    }
  }
});

test('the service says the same', async () => {
  const bytes = await readFile(caseFile(NAME, 'IMG_4848.jpeg'));
  const error = await failure(decodeUpload(bytes, { maxPixels: 1e6, maxSide: 5000, decodeTimeout: 3000 }));
  assert.instance(error, ApiError);
  const { status, body: reason } = error as ApiError;
  assert.is(status, 422);
  assert.match(String(reason.received), 'HEVC');
  assert.match(String(reason.hint), 'Convert it');
});

test.run();
