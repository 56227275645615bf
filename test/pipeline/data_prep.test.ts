import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../src/base/errors.js';
import { readJson, sha256, writeJson } from '../../src/base/files.js';
import { Random } from '../../src/base/random.js';
import { type Config, configSchema } from '../../src/config/schema.js';
import type { Manifest } from '../../src/data/manifest.js';
import { SPLITS } from '../../src/data/split.js';
import { Store } from '../../src/data/store.js';
import { readDataset, writeDataset } from '../../src/data/tables.js';
import { Validation } from '../../src/data/validation.js';
import type { CocoAnnotation, CocoDataset } from '../../src/detect/coco.js';
import { dataLoad } from '../../src/pipeline/data_load.js';
import { type DataPrepOutputs, dataPrep } from '../../src/pipeline/data_prep.js';
import type { StepContext } from '../../src/pipeline/runner/step.js';
import { shared, suiteNeeding } from '../support/shared.js';

const root = mkdtempSync(join(tmpdir(), 'data-prep-'));
process.on('exit', () => rmSync(root, { recursive: true, force: true }));
const store = new Store(join(root, 'store'));

type Overrides = Parameters<typeof configSchema.parse>[0];
const contextOf = (dir: string, config: Overrides): StepContext => ({
  config: configSchema.parse(config) as Config,
  dir: join(root, dir),
  store,
});

async function readSplits(outputs: DataPrepOutputs): Promise<Record<(typeof SPLITS)[number], CocoDataset>> {
  const [train, val, test] = await Promise.all(SPLITS.map((split) => readDataset(outputs[split])));
  return { train, val, test };
}

const builtin = suite('data_prep');
const BUILTIN = { data: { builtin: { images: 40, side: 96, seed: 5 } } };

/** The loaded built-in dataset, with re-encoded copies of its first two images added at the end. */
async function loadWithCopies(): Promise<string> {
  const { dataset: dir } = await dataLoad(contextOf('load', BUILTIN));
  const dataset = await readDataset(dir);
  const copies = await Promise.all(
    dataset.images.slice(0, 2).map(async (image, i) => {
      const bytes = await sharp(store.imagePath(image)).jpeg({ quality: 85 }).toBuffer();
      return { ...image, id: 1000 + i, file_name: `copy_${i}.jpg`, sha256: await store.putObject(bytes) };
    }),
  );
  await writeDataset(dir, { ...dataset, images: [...dataset.images, ...copies] });
  return dir;
}

builtin('splits whole images with all their objects, copies together, as the manifest says', async () => {
  const source = await loadWithCopies();
  const loaded = await readDataset(source);
  const outputs = await dataPrep({ dataset: source }, contextOf('prep', BUILTIN));
  const splits = await readSplits(outputs);
  const byId = <T extends { id: number }>(items: T[]) => items.sort((a, b) => a.id - b.id);
  assert.equal(byId(SPLITS.flatMap((split) => splits[split].images)), byId(loaded.images));
  assert.equal(byId(SPLITS.flatMap((split) => splits[split].annotations)), byId(loaded.annotations));

  const manifest = await readJson<Manifest>(outputs.manifest);
  assert.is(manifest.checksum, sha256(JSON.stringify(manifest.images)));
  assert.is(manifest.duplicates, 4);
  for (const split of SPLITS) {
    const listed = manifest.images.filter((image) => image.split === split);
    assert.equal(
      splits[split].images.map(({ id, sha256 }) => [id, sha256]),
      listed.map(({ id, sha256 }) => [id, sha256]),
    );
    assert.is(manifest.counts[split].objects, splits[split].annotations.length);
    assert.equal(manifest.counts[split], outputs.counts[split]);
  }
  const splitOf = new Map(manifest.images.map(({ id, split }) => [id, split]));
  for (const [i, { id }] of loaded.images.slice(0, 2).entries()) assert.is(splitOf.get(1000 + i), splitOf.get(id));

  const again = await dataPrep({ dataset: source }, contextOf('again', BUILTIN));
  assert.equal(await readJson(again.manifest), manifest);
});

builtin('the report is one file with charts and annotated images', async () => {
  const html = await readFile(join(root, 'prep', 'report.html'), 'utf8');
  assert.match(html, /4 images have an equal or nearly equal one/);
  assert.match(html, /Nothing had to be repaired/);
  for (const name of ['car', 'house', 'boat', 'balloon', 'butterfly']) assert.ok(html.includes(`>${name}<`), name);
  assert.ok((html.match(/<svg/g) ?? []).length >= 5);
  assert.ok((html.match(/src="data:image\/jpeg;base64,/g) ?? []).length >= 12);
  assert.not.match(html, /<script|(src|href)="https?:/);
});

builtin('categories, splits and images it cannot use are refused by name', async () => {
  const dataset = join(root, 'load');
  const refuses = async (prep: Overrides, message: RegExp) => {
    const error = await dataPrep({ dataset }, contextOf('refused', { ...BUILTIN, prep } as Overrides)).catch(
      (reason) => reason,
    );
    assert.instance(error, UserError);
    assert.match(error.message, message);
  };
  await refuses({ categories: ['car', 'bote'] }, /"bote".*Did you mean "boat"/);
  await refuses({ split: { train: 0.7, val: 0.3, test: 0 } }, /prep\.split\.test: expected images in every split/);
});

/** A loaded dataset of `count` images, made by `svg` from their number; each has the boxes that `boxes` says. */
async function load(count: number, svg: (i: number) => string, boxes: (i: number) => Partial<CocoAnnotation>[]) {
  const validation = new Validation();
  const images = await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const image = `<svg xmlns="http://www.w3.org/2000/svg" width="96" height="72">${svg(i)}</svg>`;
      const hash = await store.putObject(await sharp(Buffer.from(image)).png().toBuffer());
      return { id: i + 1, file_name: `${i}.png`, width: 96, height: 72, sha256: hash };
    }),
  );
  const annotations = images.flatMap(({ id }, i) =>
    boxes(i).map((box) => ({
      id: 0,
      image_id: id,
      category_id: 1,
      bbox: [8, 8, 16, 16] as [number, number, number, number],
      area: 256,
      iscrowd: 0 as const,
      ...box,
    })),
  );
  const dataset = join(root, `made-${made++}`);
  const categories = [
    { id: 1, name: 'van' },
    { id: 2, name: 'bus' },
  ];
  await writeDataset(dataset, { images, annotations: annotations.map((a, i) => ({ ...a, id: i + 1 })), categories });
  await writeJson(join(dataset, 'validation.json'), validation.report);
  return dataset;
}
let made = 0;

/** Tiles of shades that depend on `i`: images far apart. */
const tiles = (i: number): string => {
  const random = new Random(i, 'tiles');
  return Array.from({ length: 12 * 9 }, (_, at) => {
    const [x, y, level] = [8 * (at % 12), 8 * Math.floor(at / 12), random.int(0, 255)];
    return `<rect x="${x}" y="${y}" width="8" height="8" fill="rgb(${level},${level},${level})"/>`;
  }).join('');
};

const prep = (dataset: string, config: Overrides = {}) => dataPrep({ dataset }, contextOf(`prep-${made++}`, config));

builtin('a fixed camera: the error has the line to add, and with it the frames are split', async () => {
  const dataset = await load(
    12,
    (i) => `${tiles(0)}<rect x="${7 * i}" y="30" width="4" height="4" fill="red"/>`,
    () => [{}],
  );
  const error = await prep(dataset).catch((reason) => reason);
  assert.instance(error, UserError);
  assert.match(error.message, /^prep\.nearDuplicates: .*"12 images in 1 group of images that look alike/);
  assert.match(error.message, /set prep\.nearDuplicates: null \(--prep\.nearDuplicates null\)/);
  const { counts } = await prep(dataset, { prep: { nearDuplicates: null } });
  assert.ok(SPLITS.every((split) => counts[split].objects > 0));
});

builtin('val and test get an object where three images have one', async () => {
  const dataset = await load(20, tiles, (i) => (i < 3 ? [{}] : []));
  const { counts } = await prep(dataset);
  assert.equal(
    SPLITS.map((split) => counts[split].objects),
    [1, 1, 1],
  );
});

builtin('a split without an object, a category without one, and a scene that fills a split are told', async () => {
  const dataset = await load(
    20,
    (i) => tiles(i < 8 ? 0 : i),
    (i) => (i > 17 ? [{}] : []),
  );
  const outputs = await prep(dataset);
  const html = await readFile(outputs.report, 'utf8');
  assert.match(html, /val has no object: no AP can be measured on it/);
  assert.match(html, /left out as they have no object: bus/);
  assert.match(html, /8 of 20 images look alike.*set prep\.nearDuplicates: null/);
  assert.equal(outputs.categories, ['van']);
});

builtin('crowds are no objects, unless they are kept as such', async () => {
  const dataset = await load(12, tiles, () => [{ iscrowd: 1 }, { category_id: 2, bbox: [1, 1, 5, 5] }]);
  const ignored = await prep(dataset);
  assert.equal(ignored.categories, ['bus']);
  const named = await prep(dataset, { prep: { categories: ['van'] } }).catch((reason) => reason);
  assert.match(named.message, /All 12 annotations of van are crowds \(iscrowd 1\).*set prep\.crowd: keep/);
  const kept = await prep(dataset, { prep: { crowd: 'keep' } });
  assert.equal(kept.categories, ['van', 'bus']);
  assert.ok(SPLITS.every((split) => kept.counts[split].categories.van === kept.counts[split].images));
  const { annotations } = await readDataset(kept.train);
  assert.ok(annotations.every(({ iscrowd }) => iscrowd === 0));
});

builtin.run();

const coco = suiteNeeding('data_prep on COCO', [shared('coco', 'instances.json')]);

coco('without names all categories that occur are kept and trained on', async () => {
  const data = { source: 'coco', images: shared('coco', 'images'), annotations: shared('coco', 'instances.json') };
  const { dataset } = await dataLoad(contextOf('coco-load', { data }));
  const { categories, counts } = await dataPrep({ dataset }, contextOf('coco-all', { data }));
  assert.is(categories.length, 79);
  assert.not.ok(categories.includes('hair drier'));
  assert.ok(categories.every((name) => counts.train.categories[name] > 0));
});

coco('keeps six classes of real images and shares them out', async () => {
  const names = ['person', 'bicycle', 'car', 'motorcycle', 'bus', 'truck'];
  const config = {
    data: { source: 'coco', images: shared('coco', 'images'), annotations: shared('coco', 'instances.json') },
    prep: { categories: names, split: { train: 0.6, val: 0.15, test: 0.25 } },
  };
  const { dataset } = await dataLoad(contextOf('coco-load', config));
  const outputs = await dataPrep({ dataset }, contextOf('coco-prep', config));
  const loaded = await readDataset(dataset);
  assert.equal(outputs.categories, names);
  for (const [name, total] of names.map((name) => [name, countOf(loaded, name)] as const)) {
    const counts = SPLITS.map((split) => outputs.counts[split].categories[name]);
    assert.is(
      counts.reduce((a, b) => a + b),
      total,
    );
    assert.ok(counts[0] > 0, `${name}: ${counts}`);
  }
  const images = SPLITS.map((split) => outputs.counts[split].images / loaded.images.length);
  for (const [i, share] of [0.6, 0.15, 0.25].entries()) assert.ok(Math.abs(images[i] - share) < 0.05, `${images}`);
});

function countOf({ categories, annotations }: CocoDataset, name: string): number {
  const id = categories.find((category) => category.name === name)?.id;
  return annotations.filter(({ category_id, iscrowd }) => category_id === id && !iscrowd).length;
}

coco.run();
