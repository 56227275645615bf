import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../src/base/errors.js';
import { Random } from '../../src/base/random.js';
import { configSchema } from '../../src/config/schema.js';
import { differenceHash } from '../../src/data/duplicates.js';
import { readCoco } from '../../src/data/sources/coco.js';
import { evaluateDetector } from '../../src/pipeline/evaluation/evaluate.js';
import { lightExample } from '../../src/pipeline/training/augment.js';
import buildBatch from '../../src/pipeline/training/batch_worker.js';

const test = suite('data.maxPixels');
/** One pixel above the default limit. */
const [WIDTH, HEIGHT] = [10_001, 10_000];
const RAISED = { maxPixels: 120_000_000, decodeTimeout: 600_000 };
let dir: string;
let path: string;
let labels: string;

test.before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'yolox-max-pixels-'));
  path = join(dir, 'large.png');
  const create = { width: WIDTH, height: HEIGHT, channels: 3, background: '#406080' } as const;
  await sharp({ create }).greyscale().png({ compressionLevel: 1 }).toFile(path);
  labels = join(dir, 'labels.json');
  const image = { id: 1, file_name: 'large.png', width: WIDTH, height: HEIGHT };
  const annotation = { id: 1, image_id: 1, category_id: 1, bbox: [10, 10, 5000, 5000], area: 25e6, iscrowd: 0 };
  const coco = { images: [image], annotations: [annotation], categories: [{ id: 1, name: 'thing' }] };
  await writeFile(labels, JSON.stringify(coco));
});
test.after(() => rm(dir, { recursive: true }));

test('an image above the limit is left out; with the limit raised every later step takes it', async () => {
  const error = await readCoco(dir, labels).catch((reason: unknown) => reason);
  assert.instance(error, UserError);
  assert.match((error as Error).message, 'at most 100000000 pixels');

  const { dataset } = await readCoco(dir, labels, { ...RAISED, checkPixels: true });
  assert.is(dataset.images.length, 1);
  assert.is((await differenceHash(path)).length, 8);
  const sizes: unknown[] = [];
  const detect = async ({ original }: { original?: unknown }) => {
    sizes.push(original);
    return [];
  };
  await evaluateDetector(detect, dataset, () => path, { fit: [64, 64] });
  assert.equal(sizes, [{ width: WIDTH, height: HEIGHT }]);
  const { augment } = configSchema.parse({}).train;
  const example = { name: 'large.png', path, width: WIDTH, height: HEIGHT, objects: [] };
  const item = lightExample(example, [64, 64], augment, new Random('large'));
  const batch = await buildBatch({ items: [item], size: [64, 64], cacheBytes: 1 });
  assert.not('problem' in batch);
});

test.run();
