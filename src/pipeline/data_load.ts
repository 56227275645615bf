import { join } from 'node:path';
import { UserError } from '../base/errors.js';
import { sha256, writeJson } from '../base/files.js';
import { log, startProgress } from '../base/progress.js';
import { BUILTIN_CATEGORIES, generateBuiltin } from '../data/builtin/index.js';
import { readAnnotations } from '../data/sources/annotation_text.js';
import { type LoadedCoco, loadCoco } from '../data/sources/coco.js';
import { bringHere, openImages } from '../data/sources/inputs.js';
import { writeDataset } from '../data/tables.js';
import { commonestCause, describeReport, Validation, type ValidationReport } from '../data/validation.js';
import type { CocoDataset, StoredImage } from '../detect/coco.js';
import type { StepContext } from './runner/step.js';

export interface DataLoadOutputs {
  /** Folder of the dataset's tables. */
  dataset: string;
  images: number;
  annotations: number;
  categories: number;
  /** Number of items of the source that were left out. */
  dropped: number;
  /** The validation report, JSON. */
  report: string;
  /** Origin of the data, with the SHA-256 of what was read. */
  source: Record<string, string | number | null>;
}

/**
 * Imports a dataset into the store: image files by content; images, annotations and categories as tables in the step's
 * folder; and a report of everything repaired or left out.
 *
 * @throws UserError if the source is missing, is not COCO, or has no usable image
 */
export async function dataLoad(context: StepContext): Promise<DataLoadOutputs> {
  const { config, dir } = context;
  const { dataset, report, source } =
    config.data.source === 'builtin' ? await fromGenerator(context) : await fromCoco(context);
  await writeDataset(dir, dataset);
  const reportPath = join(dir, 'validation.json');
  await writeJson(reportPath, report);
  const dropped = report.items.filter(({ action }) => action === 'dropped').length;
  const fixed = report.items.filter(({ action }) => action === 'fixed').length;
  const { images, annotations, categories } = dataset;
  log(`${images.length} images, ${annotations.length} annotations, ${categories.length} categories`);
  const found = describeReport(report);
  if (found.length > 0) log(`validation: ${dropped} dropped, ${fixed} fixed, all listed in ${reportPath}`);
  for (const line of found) log(line);
  if (annotations.length === 0) log('no annotations at all: nothing can be learnt or evaluated');
  if (config.data.strict && dropped + fixed > 0) throw notStrict(reportPath, report);
  return {
    dataset: dir,
    images: images.length,
    annotations: annotations.length,
    categories: categories.length,
    dropped,
    report: reportPath,
    source,
  };
}

function notStrict(path: string, { items }: ValidationReport): UserError {
  const changed = items.filter(({ action }) => action !== 'noted');
  return new UserError({
    where: path,
    field: 'data.strict',
    expected: 'nothing to drop or repair',
    received: `${changed.length} such items`,
    reason: commonestCause(changed, items)?.text,
    hint: 'Fix the source, or set data.strict to false.',
  });
}

type Loaded = LoadedCoco<StoredImage> & Pick<DataLoadOutputs, 'source'>;

async function fromGenerator({ config, store }: StepContext): Promise<Loaded> {
  const { builtin } = config.data;
  const dataset: CocoDataset<StoredImage> = { images: [], annotations: [], categories: [...BUILTIN_CATEGORIES] };
  const progress = startProgress('generate', builtin.images);
  for await (const { image, annotations, bytes } of generateBuiltin(builtin)) {
    dataset.images.push({ ...image, sha256: await store.putObject(bytes) });
    dataset.annotations.push(...annotations);
    progress.update(dataset.images.length);
  }
  progress.stop();
  return { dataset, report: new Validation().report, source: { kind: 'builtin', ...builtin } };
}

async function fromCoco({ config, store }: StepContext): Promise<Loaded> {
  const { images, annotations, imagesSha256, annotationsSha256, maxPixels, decodeTimeout } = config.data;
  if (images === null) throw missing('data.images', 'a folder, a zip or the URL of a zip');
  const imageFiles = await bringHere(images, {
    field: 'data.images',
    expected: imagesSha256,
    ...store.forInputs,
  });
  // A zip may contain both annotations and images.
  if (annotations === null && !imageFiles.sha256)
    throw missing('data.annotations', 'a COCO JSON, a zip or a URL of either');
  const labels =
    annotations === null
      ? imageFiles
      : await bringHere(annotations, {
          field: 'data.annotations',
          expected: annotationsSha256,
          ...store.forInputs,
        });

  const text = await readAnnotations(labels.path, labels.entry);
  const files = await openImages(imageFiles.path);
  try {
    const { dataset, report } = await loadCoco(text, files, { maxPixels, decodeTimeout, checkPixels: true, store });
    const source = {
      kind: 'coco',
      images,
      imagesSha256: imageFiles.sha256 ?? contentHash(dataset),
      annotations,
      annotationsSha256: labels.sha256 ?? null,
    };
    return { dataset, report, source };
  } finally {
    files.close();
  }
}

/** One hash over the names and contents of all images of a folder. */
function contentHash({ images }: CocoDataset): string {
  const lines = images.map((image) => `${image.sha256}  ${image.file_name}\n`);
  return sha256(lines.sort().join(''));
}

function missing(field: string, expected: string): UserError {
  return new UserError({
    field,
    expected,
    received: null,
    hint: 'Images and annotations go together; without both, and without data.source, the built-in images are used.',
  });
}
