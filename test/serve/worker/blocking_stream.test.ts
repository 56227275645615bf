import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BlockingStream } from '../../../src/serve/worker/blocking_stream.js';
import { decodeRequests, encodeRequests, FrameReader } from '../../../src/serve/worker/frames.js';

const test = suite('blocking stream');
const dir = mkdtempSync(join(tmpdir(), 'yolox-stream-'));
test.after(() => rmSync(dir, { recursive: true }));

/** A stream that reads what a file holds; a file ends as a closed socket does. */
function readingFrom<T>(bytes: Uint8Array, read: (stream: BlockingStream) => T): T {
  const path = join(dir, 'in');
  writeFileSync(path, bytes);
  const file = openSync(path, 'r');
  try {
    return read(new BlockingStream(file));
  } finally {
    closeSync(file);
  }
}

const files = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 4 });

test('frames are read one after the other, whole', () => {
  fc.assert(
    fc.property(fc.array(files, { maxLength: 4 }), (batches) => {
      const sent = batches.map((batch) => batch.map((bytes) => ({ bytes })));
      const bytes = Buffer.concat(sent.flatMap((requests) => encodeRequests(requests)));
      const got = readingFrom(bytes, (stream) =>
        batches.map(() => {
          const frame = stream.read();
          assert.ok(frame);
          // A frame holds until the next is read, so its files are copied.
          return decodeRequests(frame).map((request) => Uint8Array.from(request.bytes));
        }),
      );
      assert.equal(got, batches);
    }),
  );
});

test('a stream that ends, between frames or inside one, gives no more', () => {
  const whole = Buffer.concat(encodeRequests([{ bytes: Buffer.from('image') }]));
  for (let length = 0; length < whole.length; length++) {
    readingFrom(whole.subarray(0, length), (stream) => assert.is(stream.read(), undefined));
  }
  readingFrom(whole, (stream) => {
    assert.ok(stream.read());
    assert.is(stream.read(), undefined);
  });
});

test('frames larger than the memory it keeps, and small ones after them, arrive', () => {
  const sizes = [10, 5_000_000, 20, 4_194_304, 1];
  const images = sizes.map((size, i) => Buffer.alloc(size, i + 1));
  const bytes = Buffer.concat(images.flatMap((image) => encodeRequests([{ bytes: image }])));
  readingFrom(bytes, (stream) => {
    for (const image of images) {
      const frame = stream.read();
      assert.ok(frame);
      assert.ok(image.equals(decodeRequests(frame)[0].bytes));
    }
  });
});

test('what it writes is what a reader puts together', () => {
  const path = join(dir, 'out');
  const file = openSync(path, 'w');
  const pieces = encodeRequests([{ bytes: Buffer.alloc(100_000, 7) }, { bytes: Buffer.from('b') }]);
  new BlockingStream(file).write(pieces);
  closeSync(file);
  const frame = new FrameReader().add(readFileSync(path));
  assert.ok(frame);
  assert.equal(
    decodeRequests(frame).map(({ bytes }) => bytes.length),
    [100_000, 1],
  );
});

test.run();
