import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { configSchema } from '../../../src/config/schema.js';
import { Store } from '../../../src/data/store.js';
import { writeDataset } from '../../../src/data/tables.js';
import type { CocoAnnotation, CocoDataset, StoredImage } from '../../../src/detect/coco.js';
import { modelTrain } from '../../../src/pipeline/model_train.js';
import { readLog } from '../../../src/pipeline/training/log.js';
import { randomJpeg } from '../../serve/make_bundle.js';

const root = mkdtempSync(join(tmpdir(), 'without-objects-'));
process.on('exit', () => rmSync(root, { recursive: true, force: true }));
const store = new Store(join(root, 'store'));

/** Two images with one object or one crowd each, or with nothing. */
async function makeSplit(name: string, iscrowd?: 0 | 1): Promise<string> {
  const dataset: CocoDataset<StoredImage> = { images: [], annotations: [], categories: [{ id: 1, name: 'blob' }] };
  for (const id of [1, 2]) {
    const sha256 = await store.putObject(await randomJpeg(id, 96, 64));
    dataset.images.push({ id, file_name: `${id}.jpg`, width: 96, height: 64, sha256 });
    const bbox: CocoAnnotation['bbox'] = [10, 10, 40, 30];
    if (iscrowd !== undefined)
      dataset.annotations.push({ id, image_id: id, category_id: 1, bbox, area: 1200, iscrowd });
  }
  const dir = join(root, name);
  await writeDataset(dir, dataset);
  return dir;
}

const test = suite('training with nothing to validate on');

for (const [name, iscrowd] of [
  ['no annotation', undefined],
  ['crowds alone', 1],
] as const) {
  test(`${name}: no AP, and best is last`, async () => {
    const dir = join(root, `out ${name}`);
    await mkdir(dir);
    const config = configSchema.parse({
      model: { width: 0.125, preprocess: { size: [64, 64] } },
      train: { epochs: 2, batch: 2, validateEvery: 1, patience: 1, workers: 1 },
    });
    const inputs = { train: await makeSplit(`train ${name}`, 0), val: await makeSplit(`val ${name}`, iscrowd) };
    const outputs = await modelTrain(inputs, { config, dir, store });
    assert.equal([outputs.map, outputs.map50, outputs.epochs], [null, null, 2]);
    assert.equal(await readFile(outputs.best), await readFile(outputs.last));
    const validations = (await readLog(outputs.log)).filter(({ event }) => event === 'validation');
    assert.equal(
      validations.map((entry) => 'map' in entry && entry.map),
      [null, null],
    );
    assert.match(await readFile(outputs.report, 'utf8'), 'the validation split has no object to find');
  });
}

test.run();
