import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { mapConcurrent } from '../base/concurrency.js';
import { readJson, writeAtomic, writeJson } from '../base/files.js';
import { log, startProgress } from '../base/progress.js';
import { differenceHash, type Fingerprint, groupDuplicates } from '../data/duplicates.js';
import { buildManifest, type Manifest, type SplitEntry, subset } from '../data/manifest.js';
import { noticesOf, refuseFewGroups } from '../data/prep_notices.js';
import { selectCategories } from '../data/select.js';
import { SPLITS, type Split, type SplitImage, stratifiedSplit } from '../data/split.js';
import type { Store } from '../data/store.js';
import { readDataset, writeDataset } from '../data/tables.js';
import type { ValidationReport } from '../data/validation.js';
import { toCorners } from '../detect/box.js';
import type { CocoDataset, CocoImage, StoredImage } from '../detect/coco.js';
import { classColor } from '../image/colors.js';
import { CHECKED, decodeImage } from '../image/decode.js';
import { annotate, type LabelledBox } from '../image/draw.js';
import { datasetReport, type Sample } from '../report/dataset_report.js';
import type { StepContext } from './runner/step.js';

/** Number of images of each split in the report, and their longer side in pixels. */
const SAMPLES: Record<Split, number> = { train: 12, val: 6, test: 6 };
const SAMPLE_SIDE = 480;

export interface DataPrepInputs {
  /** Folder written by data_load: the tables and validation.json. */
  dataset: string;
}

export interface DataPrepOutputs {
  /** Folders of the splits' tables. */
  train: string;
  val: string;
  test: string;
  /** See {@link Manifest}, JSON. */
  manifest: string;
  /** HTML. */
  report: string;
  categories: string[];
  counts: Manifest['counts'];
}

/**
 * Selects the configured categories, splits the images into train, val and test so that copies of an image stay
 * together, and reports what each split contains.
 *
 * @throws UserError if a category is unknown or has no object, or a split would be empty
 */
export async function dataPrep(inputs: DataPrepInputs, { config, dir, store }: StepContext): Promise<DataPrepOutputs> {
  const { prep } = config;
  const validation = await readJson<ValidationReport>(join(inputs.dataset, 'validation.json'));
  const loaded = await readDataset(inputs.dataset);
  const source = prep.crowd === 'keep' ? withoutCrowds(loaded) : loaded;
  const { dataset, notices } = selectCategories(source, prep.categories, prep.keepEmpty, validation);
  const fingerprints = await fingerprint(dataset.images, store, prep.nearDuplicates !== null);
  const groups = groupDuplicates(fingerprints, prep.nearDuplicates);
  refuseFewGroups(groups, prep.nearDuplicates);
  const assigned = stratifiedSplit(withLabels(dataset, groups), prep.split, prep.seed);
  const images = dataset.images.map(({ id, file_name }, i): SplitEntry => {
    return { id, file_name, sha256: fingerprints[i].sha256, split: assigned[i], group: groups[i] };
  });
  const manifest = buildManifest(dataset, images, { seed: prep.seed, shares: prep.split });
  notices.push(...noticesOf(manifest, prep.nearDuplicates));

  const part = (split: Split) => subset(dataset, images, split);
  const splits = { train: part('train'), val: part('val'), test: part('test') };
  for (const split of SPLITS) await writeDataset(join(dir, split), splits[split]);
  const manifestPath = join(dir, 'manifest.json');
  await writeJson(manifestPath, manifest);
  const samples: Sample[] = [];
  for (const split of SPLITS) samples.push(...(await drawSamples(splits[split], split, store)));
  const report = join(dir, 'report.html');
  await writeAtomic(
    report,
    await datasetReport({ title: `Dataset of ${config.pipeline}`, splits, manifest, validation, notices, samples }),
  );
  for (const split of SPLITS) {
    const { images: count, background, objects } = manifest.counts[split];
    log(`${split}: ${count} images, ${background} of them background, ${objects} objects`);
  }
  for (const notice of notices) log(notice);
  return {
    train: join(dir, 'train'),
    val: join(dir, 'val'),
    test: join(dir, 'test'),
    manifest: manifestPath,
    report,
    categories: dataset.categories.map(({ name }) => name),
    counts: manifest.counts,
  };
}

/** Without `look`, images are compared by their bytes alone. */
async function fingerprint(images: readonly StoredImage[], store: Store, look: boolean): Promise<Fingerprint[]> {
  const progress = startProgress('compare', images.length);
  let done = 0;
  return mapConcurrent(images, availableParallelism(), async (image) => {
    const { sha256 } = image;
    const hash = look ? await differenceHash(store.imagePath(image)) : new Uint8Array();
    progress.update(++done);
    return { sha256, hash };
  }).finally(() => progress.stop());
}

function withLabels({ images, annotations }: CocoDataset, groups: readonly number[]): SplitImage[] {
  const labels = new Map(images.map(({ id }) => [id, new Set<number>()]));
  for (const { image_id, category_id, iscrowd } of annotations) {
    if (!iscrowd) labels.get(image_id)?.add(category_id);
  }
  return images.map(({ id }, i) => ({ labels: [...(labels.get(id) ?? [])], group: groups[i] }));
}

/** Turns crowds into ordinary objects. */
function withoutCrowds<Image extends CocoImage>(dataset: CocoDataset<Image>): CocoDataset<Image> {
  return { ...dataset, annotations: dataset.annotations.map((annotation) => ({ ...annotation, iscrowd: 0 })) };
}

/** Draws images with objects, spread over the split, with their boxes. */
async function drawSamples(
  { images, annotations, categories }: CocoDataset<StoredImage>,
  split: Split,
  store: Store,
): Promise<Sample[]> {
  const occupied = new Set(annotations.map(({ image_id }) => image_id));
  const candidates = images.filter(({ id }) => occupied.has(id));
  const count = Math.min(SAMPLES[split], candidates.length);
  const chosen = Array.from({ length: count }, (_, i) => candidates[Math.floor((i * candidates.length) / count)]);
  return mapConcurrent(chosen, availableParallelism(), async (image) => {
    const pixels = await decodeImage(store.imagePath(image), {
      name: image.file_name,
      ...CHECKED,
    });
    const boxes = annotations
      .filter(({ image_id }) => image_id === image.id)
      .map(({ bbox, category_id }): LabelledBox => {
        const index = category_id - 1;
        return { box: toCorners(bbox), label: categories[index].name, color: classColor(index) };
      });
    return { jpeg: await annotate(pixels, boxes, { maxSide: SAMPLE_SIDE }), fileName: image.file_name, split };
  });
}
