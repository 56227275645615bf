import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { sha256 } from '../../src/base/files.js';
import { Store } from '../../src/data/store.js';

const test = suite<{ dir: string; store: Store }>('store');

test.before.each((context) => {
  context.dir = mkdtempSync(join(tmpdir(), 'store-'));
  context.store = new Store(join(context.dir, 'root'));
});
test.after.each(({ dir }) => rmSync(dir, { recursive: true }));

const files = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);

test('an object lies under its hash and holds its bytes', async ({ store }) => {
  const bytes = Buffer.from('some bytes');
  assert.not.ok(await store.hasObject(sha256(bytes)));
  const hash = await store.putObject(bytes);
  assert.is(hash, sha256(bytes));
  assert.is(store.objectPath(hash), join(store.root, 'objects', hash.slice(0, 2), hash));
  assert.ok(readFileSync(store.objectPath(hash)).equals(bytes));
  assert.ok(await store.hasObject(hash));
});

test('equal bytes are written once', async ({ store }) => {
  const hash = await store.putObject(Buffer.from('equal'));
  const written = statSync(store.objectPath(hash));
  assert.is(await store.putObject(Buffer.from('equal')), hash);
  assert.is(statSync(store.objectPath(hash)).mtimeMs, written.mtimeMs);
  assert.is(statSync(store.objectPath(hash)).ino, written.ino);
  assert.equal(files(store.root), [hash]);
});

test('puts at the same time leave one whole object and nothing else', async ({ store }) => {
  const bytes = Buffer.alloc(300_000, 7);
  const hashes = await Promise.all(Array.from({ length: 8 }, () => store.putObject(bytes)));
  assert.equal(files(store.root), [hashes[0]]);
  assert.ok(readFileSync(store.objectPath(hashes[0])).equals(bytes));
});

for (const [what, damage] of [
  ['cut off', (bytes: Buffer) => bytes.subarray(0, 3)],
  ['flipped', (bytes: Buffer) => Buffer.from(bytes).reverse()],
] as const) {
  test(`an object that is ${what} is found, and written again when it is put again`, async ({ store }) => {
    const bytes = Buffer.from('some bytes');
    const hash = await store.putObject(bytes);
    const path = store.objectPath(hash);
    writeFileSync(path, damage(bytes));
    await store.verifyObjects([hash]).then(
      () => assert.unreachable(),
      ({ name, message }: Error) => {
        assert.is(name, 'UserError');
        assert.match(message, path);
        assert.match(message, 'yolox-node data-load --force');
      },
    );
    await store.putObject(bytes);
    await store.verifyObjects([hash]);
    assert.ok(readFileSync(path).equals(bytes));
  });
}

test.run();
