import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../src/base/errors.js';
import { readDataset, writeDataset } from '../../src/data/tables.js';
import type { CocoDataset, StoredImage } from '../../src/detect/coco.js';

const test = suite<{ dir: string }>('tables');

test.before.each((context) => {
  context.dir = mkdtempSync(join(tmpdir(), 'tables-'));
});
test.after.each(({ dir }) => rmSync(dir, { recursive: true }));

const id = fc.maxSafeNat();
const length = fc.double({ min: 0, max: 1e5, noNaN: true, noDefaultInfinity: true });
const text = fc.string({ unit: 'grapheme', minLength: 1 });
const anyDataset: fc.Arbitrary<CocoDataset<StoredImage>> = fc.record(
  {
    images: fc.array(
      fc.record(
        {
          id,
          file_name: text,
          width: fc.integer({ min: 1, max: 1e5 }),
          height: fc.integer({ min: 1, max: 1e5 }),
          sha256: text,
        },
        { noNullPrototype: true },
      ),
    ),
    annotations: fc.array(
      fc.record(
        {
          id,
          image_id: id,
          category_id: id,
          bbox: fc.tuple(length, length, length, length),
          area: length,
          iscrowd: fc.constantFrom<0 | 1>(0, 1),
        },
        { noNullPrototype: true },
      ),
    ),
    categories: fc.array(
      fc.record(
        { id, name: text, supercategory: text, old_id: id },
        { requiredKeys: ['id', 'name'], noNullPrototype: true },
      ),
    ),
  },
  { noNullPrototype: true },
);

test('a dataset read back is the dataset written', async ({ dir }) => {
  await fc.assert(
    fc.asyncProperty(anyDataset, async (dataset) => {
      await writeDataset(dir, dataset);
      assert.equal(await readDataset(dir), dataset);
    }),
    { numRuns: 60 },
  );
});

test('many row groups keep their order', async ({ dir }) => {
  const images = Array.from({ length: 2500 }, (_, i) => ({
    id: i,
    file_name: `${i}.jpg`,
    width: 1,
    height: 1,
    sha256: 'a',
  }));
  await writeDataset(dir, { images, annotations: [], categories: [] });
  assert.equal((await readDataset(dir)).images, images);
});

test('a missing or damaged table is named', async ({ dir }) => {
  const problem = async (): Promise<Error> =>
    readDataset(dir).then(
      () => assert.unreachable(),
      (error) => error,
    );
  assert.match((await problem()).message, /images\.parquet: expected the images table/);
  await writeDataset(dir, { images: [], annotations: [], categories: [] });
  writeFileSync(join(dir, 'annotations.parquet'), 'PAR1 not a table');
  assert.instance(await problem(), UserError);
  assert.match((await problem()).message, /annotations\.parquet/);
});

test.run();
