import {
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { sha256 } from '../../src/base/files.js';
import { HashCache } from '../../src/data/hash_cache.js';

const test = suite<{ dir: string; cache: string }>('hash cache');

test.before.each((context) => {
  context.dir = mkdtempSync(join(tmpdir(), 'yolox-hashes-'));
  context.cache = join(context.dir, 'cache/hashes');
});
test.after.each(({ dir }) => rmSync(dir, { recursive: true }));

/** Far above a tick of Linux's file systems, and quickly over. */
const SETTLED_MS = 60;

/** Writes a file and lets it settle. */
function writeSettled(path: string, content: string | Buffer): void {
  writeFileSync(path, content);
  while (Date.now() - statSync(path).ctimeMs < 2 * SETTLED_MS);
}

test('a file left alone is read once, also by later runs', async ({ dir, cache }) => {
  const path = join(dir, 'settled');
  writeSettled(path, 'content');
  const first = await HashCache.open(cache, SETTLED_MS);
  assert.is(await first.hash(path), sha256('content'));
  assert.is(await first.hash(path), sha256('content'));
  assert.is(first.reads, 1);
  await first.save();
  const second = await HashCache.open(cache, SETTLED_MS);
  assert.is(await second.hash(path), sha256('content'));
  assert.is(second.reads, 0);
});

test('a file that was touched, changed in place or replaced under its old time is read again', async ({
  dir,
  cache,
}) => {
  const path = join(dir, 'file');
  writeSettled(path, 'before');
  const hashes = await HashCache.open(cache, SETTLED_MS);
  assert.is(await hashes.hash(path), sha256('before'));
  const { atime, mtime } = statSync(path);

  utimesSync(path, new Date(), new Date());
  assert.is(await hashes.hash(path), sha256('before'));
  assert.is(hashes.reads, 2);

  writeFileSync(path, 'afterX');
  utimesSync(path, atime, mtime);
  assert.is(await hashes.hash(path), sha256('afterX'));

  writeFileSync(`${path}.new`, 'afterY');
  utimesSync(`${path}.new`, atime, mtime);
  renameSync(`${path}.new`, path);
  assert.is(await hashes.hash(path), sha256('afterY'));
});

test('a file that was written just now is never remembered: its next change may not show', async ({ dir, cache }) => {
  const path = join(dir, 'racy');
  const hashes = await HashCache.open(cache);
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 3, maxLength: 3 }), async (bytes) => {
      writeFileSync(path, bytes);
      assert.is(await hashes.hash(path), sha256(bytes));
    }),
  );
  const { reads } = hashes;
  await hashes.hash(path);
  assert.is(hashes.reads, reads + 1);
});

test('a damaged cache is as good as none', async ({ dir, cache }) => {
  const path = join(dir, 'file');
  writeSettled(path, 'content');
  const hashes = await HashCache.open(cache, SETTLED_MS);
  await hashes.hash(path);
  await hashes.save();
  const sound = readFileSync(cache);
  const flipped = Buffer.from(sound);
  flipped[sound.length - 20] ^= 1;
  writeFileSync(cache, flipped);
  const second = await HashCache.open(cache, SETTLED_MS);
  assert.is(await second.hash(path), sha256('content'));
  assert.is(second.reads, 1);
  truncateSync(cache, 30);
  assert.is(await (await HashCache.open(cache, SETTLED_MS)).hash(path), sha256('content'));
});

test('what is no file is refused', async ({ dir, cache }) => {
  const hashes = await HashCache.open(cache, SETTLED_MS);
  for (const path of [dir, '/dev/null', join(dir, 'absent')]) {
    await hashes.hash(path).then(assert.unreachable, (error: Error) => {
      assert.is(error.name, 'UserError');
      assert.match(error.message, path);
    });
  }
});

test.run();
