import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { sha256, sha256File } from '../../src/base/files.js';
import { configSchema } from '../../src/config/schema.js';
import { Store } from '../../src/data/store.js';
import { readDataset } from '../../src/data/tables.js';
import { dataLoad } from '../../src/pipeline/data_load.js';
import type { StepContext } from '../../src/pipeline/runner/step.js';
import { annotate, jpeg, messageFrom, writeTree, writeZip } from '../data/sources/make_coco.js';

const test = suite<{ dir: string; step(data: object): StepContext }>('data_load');

test.before.each((context) => {
  context.dir = mkdtempSync(join(tmpdir(), 'load-'));
  context.step = (data) => {
    const out = join(context.dir, 'out');
    mkdirSync(out, { recursive: true });
    return { config: configSchema.parse({ data }), dir: out, store: new Store(join(context.dir, 'store')) };
  };
});
test.after.each(({ dir }) => rmSync(dir, { recursive: true }));

const objects = (dir: string): string[] =>
  readdirSync(join(dir, 'store', 'objects'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name)
    .sort();

test('the built-in dataset comes from its seed', async ({ dir, step }) => {
  const data = { builtin: { images: 12, side: 96, seed: 3 } };
  const outputs = await dataLoad(step(data));
  const dataset = await readDataset(outputs.dataset);
  assert.equal([outputs.images, outputs.dropped], [12, 0]);
  assert.is(dataset.annotations.length, outputs.annotations);
  assert.is(dataset.categories.length, outputs.categories);
  assert.equal(objects(dir), [...new Set(dataset.images.map((image) => image.sha256))].sort());
  await dataLoad(step(data));
  assert.equal(await readDataset(outputs.dataset), dataset);
});

test('a COCO folder: sound images in the store, the rest in the report', async ({ dir, step }) => {
  const [one, two] = [await jpeg(1), await jpeg(2)];
  const made = annotate(['one.jpg', 'two.jpg', 'cut.jpg', 'gone.jpg']);
  await writeTree(dir, {
    'in/one.jpg': one,
    'in/two.jpg': two,
    'in/cut.jpg': two.subarray(0, 500),
    'labels.json': JSON.stringify(made).replace('"area":500', '"area":NaN'),
  });
  const data = { source: 'coco', images: join(dir, 'in'), annotations: join(dir, 'labels.json') };
  const outputs = await dataLoad(step(data));
  const dataset = await readDataset(outputs.dataset);
  assert.equal(
    dataset.images.map(({ sha256: hash }) => hash),
    [sha256(one), sha256(two)],
  );
  assert.equal(objects(dir), [sha256(one), sha256(two)].sort());
  assert.equal(
    dataset.annotations.map(({ area }) => area),
    [600, 500],
  );
  assert.equal([outputs.images, outputs.annotations, outputs.categories, outputs.dropped], [2, 2, 2, 4]);
  const { counts } = JSON.parse(readFileSync(outputs.report, 'utf8'));
  assert.equal(
    [counts.unreadableImage, counts.missingImage, counts.annotationOfDropped, counts.missingArea],
    [1, 1, 2, 1],
  );
  assert.is(outputs.source.annotationsSha256, await sha256File(data.annotations));

  const written = statSync(new Store(join(dir, 'store')).objectPath(sha256(one))).mtimeMs;
  assert.equal(await dataLoad(step(data)), outputs);
  assert.is(statSync(new Store(join(dir, 'store')).objectPath(sha256(one))).mtimeMs, written);
});

test('zips by path and by URL, checksummed; annotations beside the images or named in another zip', async ({
  dir,
  step,
}) => {
  const names = ['one.jpg', 'two.jpg'];
  const images = { 'set/one.jpg': await jpeg(1), 'set/two.jpg': await jpeg(2) };
  const labels = JSON.stringify(annotate(names));
  const [all, other] = [join(dir, 'all.zip'), join(dir, 'labels.zip')];
  await writeZip(all, { ...images, 'set/labels.json': labels });
  await writeZip(other, { 'instances_a.json': labels, 'instances_b.json': '{}' });
  const fromFolder = await dataLoad(step({ source: 'coco', images: all }));
  const expected = await readDataset(fromFolder.dataset);
  assert.is(expected.images.length, 2);

  const server = createServer((request, response) => response.end(readFileSync(join(dir, request.url as string))));
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const data = {
    source: 'coco',
    images: `${base}/all.zip`,
    imagesSha256: await sha256File(all),
    annotations: `${base}/labels.zip#instances_a.json`,
  };
  const outputs = await dataLoad(step(data));
  assert.equal(await readDataset(outputs.dataset), expected);
  assert.equal(
    [outputs.source.imagesSha256, outputs.source.annotationsSha256],
    [await sha256File(all), await sha256File(other)],
  );
  server.close();
  server.closeAllConnections();
  // Everything is here now: the same inputs need no server.
  assert.equal(await dataLoad(step(data)), outputs);
});

test('bad sources are one clear error', async ({ dir, step }) => {
  const message = (data: object): Promise<string> => messageFrom(dataLoad(step({ source: 'coco', ...data })));
  await writeTree(dir, {
    'in/a.jpg': await jpeg(1),
    'labels.json': JSON.stringify(annotate(['b.jpg'])),
    'text.txt': 'hello',
  });
  const images = join(dir, 'in');
  const annotations = join(dir, 'labels.json');
  assert.match(await message({}), /^UserError: data\.images: expected a folder/);
  assert.match(await message({ images }), /^UserError: data\.annotations: expected/);
  assert.match(
    await message({ images: join(dir, 'no'), annotations }),
    /^UserError: .*no: data\.images: expected an existing path or a URL\. Fix the path, which is relative to/,
  );
  assert.match(
    await message({ images: join(dir, 'text.txt'), annotations }),
    /^UserError: .*text\.txt: expected a folder or a zip/,
  );
  assert.match(
    await message({ images, annotations, annotationsSha256: 'b'.repeat(64) }),
    /^UserError: .*labels\.json: data\.annotations: expected a file with SHA-256/,
  );
  assert.match(
    await message({ images, annotations: join(dir, 'text.txt') }),
    /^UserError: .*text\.txt: expected valid JSON/,
  );
  assert.match(
    await message({ images: annotations, annotations }),
    /^UserError: .*labels\.json: expected a folder or a zip of images, received "another kind of file"/,
  );
  assert.match(
    await message({ images: join(images, 'a.jpg'), annotations }),
    /^UserError: .*a\.jpg: expected a folder or a zip of images, received "one image"\. Give the folder that contains it/,
  );
  assert.match(
    await message({ images, annotations: images }),
    /^UserError: .*in: expected a COCO JSON file, or a zip that contains one, received "a folder"\. A file per image/,
  );
  assert.match(
    await message({ images: 's3://bucket/images', annotations }),
    /^UserError: s3:\/\/bucket\/images: data\.images: expected a path, or a URL of http or https\. Download it/,
  );
  assert.match(await message({ images, annotations }), /^UserError: .*expected at least one usable image/);
});

test('data.strict: what would be dropped or mended is an error, a sound dataset is none', async ({ dir, step }) => {
  await writeTree(dir, { 'in/a.jpg': await jpeg(1), 'sound.json': JSON.stringify(annotate(['a.jpg'])) });
  const data = { source: 'coco', images: join(dir, 'in'), strict: true };
  assert.is((await dataLoad(step({ ...data, annotations: join(dir, 'sound.json') }))).images, 1);
  const made = annotate(['a.jpg']);
  Object.assign(made.annotations[0], { area: 0 });
  for (const [changed, problem] of [
    [made, 'annotation without a positive area'],
    [annotate(['a.jpg', 'gone.jpg']), 'image file not found: images\\[1\\] gone.jpg'],
  ] as const) {
    await writeTree(dir, { 'labels.json': JSON.stringify(changed) });
    assert.match(
      await messageFrom(dataLoad(step({ ...data, annotations: join(dir, 'labels.json') }))),
      new RegExp(`validation\\.json: data\\.strict: expected nothing to drop or repair, .*1 × ${problem}`),
    );
  }
});

test.run();
