import { join } from 'node:path';
import { mapConcurrent } from '../../base/concurrency.js';
import { messageOf, UserError } from '../../base/errors.js';
import { sha256 } from '../../base/files.js';
import { startProgress } from '../../base/progress.js';
import type { CocoDataset, CocoImage, StoredImage } from '../../detect/coco.js';
import { checkPixels, type DecodeLimits, readHeader } from '../../image/decode.js';
import { checkAnnotations } from '../coco/annotations.js';
import type { CheckedImage } from '../coco/box.js';
import { listCategories } from '../coco/categories.js';
import { listImages } from '../coco/images.js';
import type { Id } from '../coco/json_ids.js';
import { parseCoco } from '../coco/parse.js';
import type { Store } from '../store.js';
import { Validation, type ValidationReport } from '../validation.js';
import { type AnnotationText, readAnnotations } from './annotation_text.js';
import { checkImage, type Inspected } from './checked_image.js';
import { openFolder } from './folder.js';
import { type ImageFiles, isImageName } from './image_files.js';
import { statInput } from './inputs.js';
import { noImage, noneLeft } from './none_left.js';
import { type Resolved, resolveFiles, type Unusable } from './resolve_files.js';

/** Images processed at once; their files are held in memory. */
const CONCURRENCY = 4;

/** Images that exceed the limits are dropped. */
export interface CocoOptions extends DecodeLimits {
  /** Decode every image to find damage after the header; otherwise reads only headers. */
  checkPixels?: boolean;
  /** Store for usable images; an image already in it has been decoded before. */
  store?: Store;
}

export interface LoadedCoco<Image extends CocoImage = CocoImage> {
  dataset: CocoDataset<Image>;
  report: ValidationReport;
}

/**
 * Reads and repairs a COCO dataset; PROBLEMS in validation.ts lists what it checks. Image sizes are those of the
 * upright image (EXIF applied). If the annotations give the size before a quarter turn, their boxes refer to stored
 * pixels and are rotated with the image. Otherwise boxes refer to the upright image, because the sizes agree or do not
 * tell (mirrored, upside down).
 *
 * @throws UserError if the annotations are not COCO or no image is usable
 */
export function loadCoco(
  annotations: AnnotationText,
  files: ImageFiles,
  options: CocoOptions & { store: Store },
): Promise<LoadedCoco<StoredImage>>;
export function loadCoco(annotations: AnnotationText, files: ImageFiles, options?: CocoOptions): Promise<LoadedCoco>;
export async function loadCoco(
  annotations: AnnotationText,
  files: ImageFiles,
  options: CocoOptions = {},
): Promise<LoadedCoco> {
  const { text, where } = annotations;
  const validation = new Validation();
  const raw = parseCoco(text, where);
  const { images: listed, dropped } = listImages(raw.images, validation);
  if (listed.length === 0) throw noneLeft(where, 'images', raw.images, validation);
  const categories = listCategories(raw.categories, raw.annotations, validation);
  if (categories.categories.length === 0) throw noneLeft(where, 'categories', raw.categories, validation);

  const resolved = await resolveFiles(listed, files);
  const inspected = await inspectAll(resolved, files, options);
  const images = new Map<Id, CheckedImage>();
  const byFile = new Map<string, { image: CocoImage; where: string }>();
  listed.forEach((entry, index) => {
    const checked = checkImage(entry, resolved[index], inspected, validation);
    if (checked === undefined) {
      dropped.add(entry.key);
      return;
    }
    const { file_name: file } = checked.image;
    const first = byFile.get(file);
    if (first) validation.fixed('sameFile', entry.where, `put to ${first.where}`);
    else byFile.set(file, { image: checked.image, where: entry.where });
    images.set(entry.key, { ...checked, image: first?.image ?? checked.image });
  });
  const used = new Set(resolved.flatMap((one) => ('file' in one ? [one.file] : [])));
  validation.count('unlistedImage', files.names.filter((name) => isImageName(name) && !used.has(name)).length);
  if (images.size === 0) throw noImage(where, listed, files, validation);
  const checked = checkAnnotations(raw.annotations, { images, dropped, categories }, validation);
  if (checked.length === 0 && raw.annotations.length > 0) {
    throw noneLeft(where, 'annotations', raw.annotations, validation);
  }
  return {
    dataset: {
      images: [...byFile.values()].map(({ image }) => image),
      annotations: checked,
      categories: categories.categories,
    },
    report: validation.report,
  };
}

/**
 * Reads a COCO folder in place, without a store.
 *
 * @param images folder that file names are relative to
 * @param annotations COCO JSON file, or a zip that contains one
 * @returns the repaired dataset, and the paths of its images
 * @throws UserError like {@link loadCoco}, and if the folder or file does not exist
 */
export async function readCoco(
  images: string,
  annotations: string,
  options: Omit<CocoOptions, 'store'> = {},
): Promise<LoadedCoco & { pathOf(image: CocoImage): string }> {
  const folder = await statInput(images);
  if (!folder.isDirectory()) {
    throw new UserError({ where: images, expected: 'a folder of images', received: 'a file' });
  }
  const loaded = await loadCoco(await readAnnotations(annotations), await openFolder(images), options);
  return { ...loaded, pathOf: (image) => join(images, image.file_name) };
}

/** Inspects every file once. */
async function inspectAll(
  resolved: readonly (Resolved | Unusable)[],
  files: ImageFiles,
  options: CocoOptions,
): Promise<Map<string, Inspected | Unusable>> {
  const names = [...new Set(resolved.flatMap((one) => ('file' in one ? [one.file] : [])))];
  const progress = startProgress('check images', names.length);
  let done = 0;
  const outcomes = await mapConcurrent(names, CONCURRENCY, async (name) => {
    const outcome = await inspect(name, files, options);
    progress.update(++done);
    return [name, outcome] as const;
  }).finally(() => progress.stop());
  return new Map(outcomes);
}

async function inspect(
  name: string,
  files: ImageFiles,
  { store, ...options }: CocoOptions,
): Promise<Inspected | Unusable> {
  let bytes: Buffer;
  try {
    bytes = await files.read(name);
  } catch (error) {
    return { kind: 'unreadableImage', detail: messageOf(error) };
  }
  const stored = store !== undefined && (await store.hasObject(sha256(bytes)));
  let header: Inspected['header'];
  try {
    header = await readHeader(bytes, options);
    if (options.checkPixels && !stored) await checkPixels(bytes, options);
  } catch (error) {
    // A bug of ours must not look like a fault of the image.
    if (!(error instanceof UserError)) throw error;
    return { kind: 'unreadableImage', detail: error.message };
  }
  // Outside the try: a full disk is not the image's fault.
  return { header, sha256: await store?.putObject(bytes) };
}
