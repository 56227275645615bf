import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openZip } from '../../../src/base/zip.js';
import { readAnnotations } from '../../../src/data/sources/annotation_text.js';
import { isZip, openZipImages } from '../../../src/data/sources/zip.js';
import { messageFrom, writeZip } from './make_coco.js';

const test = suite<{ dir: string; path: string }>('zip');

test.before.each((context) => {
  context.dir = mkdtempSync(join(tmpdir(), 'zip-'));
  context.path = join(context.dir, 'a.zip');
});
test.after.each(({ dir }) => rmSync(dir, { recursive: true }));

test('images are found by their full name; folders that hold everything are left out of it', async ({ path }) => {
  await writeZip(path, { 'val/1.jpg': 'one', 'val/2.jpg': 'two', 'train/2.jpg': 'other', 'notes.txt': '' });
  const images = await openZipImages(path);
  assert.is(await images.find('val/1.jpg'), 'val/1.jpg');
  assert.is(await images.find('./train/2.jpg'), 'train/2.jpg');
  assert.is(await images.find('1.jpg'), undefined);
  assert.equal(images.names, ['val/1.jpg', 'val/2.jpg', 'train/2.jpg', 'notes.txt']);
  images.close();

  await writeZip(path, { 'set/a/1.jpg': 'one', 'set/a/b/2.jpg': 'two', '__MACOSX/set/._1.jpg': 'fork' });
  const nested = await openZipImages(path);
  assert.equal(nested.names, ['1.jpg', 'b/2.jpg']);
  for (const name of ['1.jpg', 'set/a/1.jpg']) assert.is(await nested.find(name), '1.jpg');
  assert.is(await nested.find('a/1.jpg'), undefined);
  assert.is(String(await nested.read('1.jpg')), 'one');
  nested.close();
});

test('many entries can be read at once', async ({ path }) => {
  const files = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`${i}.jpg`, Buffer.alloc(50_000, i)]));
  await writeZip(path, files);
  const images = await openZipImages(path);
  const read = await Promise.all(Object.keys(files).map((name) => images.read(name)));
  assert.ok(Object.values(files).every((bytes, i) => bytes.equals(read[i])));
  images.close();
});

test('an entry leading out of the zip refuses the whole zip', async ({ path }) => {
  await writeZip(path, { 'aa/evil.json': '{}' });
  const bytes = readFileSync(path);
  // Same length, so every offset in the zip stays right.
  writeFileSync(path, bytes.toString('latin1').replaceAll('aa/evil.json', '../evil.json'), 'latin1');
  assert.match(await messageFrom(openZip(path)), /^UserError: .*a\.zip: expected a valid zip: .*\.\.\/evil\.json/);
});

test('a truncated zip, damaged or oversized entries are errors', async ({ path }) => {
  await writeZip(path, { 'a.bin': Buffer.from('some content that is stored in the zip') });
  const bytes = readFileSync(path);
  const zip = await openZip(path);
  assert.match(await messageFrom(zip.read('a.bin', 10)), /the file has 38 bytes/);
  zip.close();
  const damaged = Buffer.from(bytes);
  damaged[damaged.indexOf('a.bin') + 8] ^= 1;
  writeFileSync(path, damaged);
  const broken = await openZip(path);
  assert.is.not(await messageFrom(broken.read('a.bin', 100)), 'no error');
  broken.close();
  writeFileSync(path, bytes.subarray(0, bytes.length / 2));
  assert.ok(await isZip(path));
  assert.match(await messageFrom(openZip(path)), /^UserError: .*expected a valid zip/);
});

test('annotations: the only JSON, the only instances JSON, the one named, or the candidates', async ({ path }) => {
  await writeZip(path, { 'deep/labels.json': '1', 'a.jpg': '' });
  assert.equal(await readAnnotations(path), { text: '1', where: `${path}#deep/labels.json` });
  await writeZip(path, { 'x/instances_val.json': '2', 'x/captions_val.json': '3' });
  assert.is((await readAnnotations(path)).text, '2');
  assert.is((await readAnnotations(path, 'x/captions_val.json')).text, '3');
  await writeZip(path, { 'instances_a.json': '4', 'instances_b.json': '5' });
  const message = await messageFrom(readAnnotations(path));
  assert.match(message, /^UserError: .*received "2 JSON files".*#instances_a\.json, #instances_b\.json/);
  assert.match(await messageFrom(readAnnotations(path, 'c.json')), /^UserError: .*c\.json: expected an entry/);
  await writeZip(path, { 'a.jpg': '' });
  assert.match(await messageFrom(readAnnotations(path)), /"0 JSON files"/);
});

test('a plain file is its own text; a folder or nothing is an error', async ({ dir }) => {
  writeFileSync(join(dir, 'a.json'), '{}');
  assert.is((await readAnnotations(join(dir, 'a.json'))).text, '{}');
  assert.match(
    await messageFrom(readAnnotations(dir)),
    /^UserError: .*received "a folder"\. Name the file: .*a\.json\./,
  );
  for (let i = 0; i < 5; i++) writeFileSync(join(dir, `${i}.json`), '{}');
  assert.match(await messageFrom(readAnnotations(dir)), /A file per image \(LabelMe, YOLO, Pascal VOC\) is not read/);
  assert.match(await messageFrom(readAnnotations(join(dir, 'no.json'))), /^UserError: .*expected an existing path/);
});

test('text in UTF-16 is read by its byte order mark', async ({ dir }) => {
  const text = '{"name": "café"}';
  const little = Buffer.from(`\uFEFF${text}`, 'utf16le');
  for (const [name, bytes] of Object.entries({ little, big: Buffer.from(little).swap16() })) {
    writeFileSync(join(dir, name), bytes);
    assert.is((await readAnnotations(join(dir, name))).text, text);
  }
});

test.run();
