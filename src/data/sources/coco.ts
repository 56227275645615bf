import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, UserError } from '../../base/errors.js';
import { sha256 } from '../../base/files.js';
import { startProgress } from '../../base/progress.js';
import type { CocoDataset, CocoImage } from '../coco.js';
import { type CheckedImage, checkAnnotations } from '../coco_annotations.js';
import { type ListedImage, listCategories, listImages, parseCoco } from '../coco_parse.js';
import { mapConcurrent } from '../concurrency.js';
import { checkPixels, type DecodeLimits, type PictureHeader, readHeader } from '../decode.js';
import type { Store } from '../store.js';
import { PROBLEMS, Validation, type ValidationReport } from '../validation.js';
import { type AnnotationText, readAnnotations } from './annotation_text.js';
import { openFolder } from './folder.js';
import { isSafeName, type PictureFiles } from './picture_files.js';

/** Pictures in work at once: their files are held whole in memory. */
const CONCURRENCY = 4;

/** Pictures beyond the limits are dropped. */
export interface CocoOptions extends DecodeLimits {
  /** Decode every picture to find damage below the header; otherwise only headers are read. */
  checkPixels?: boolean;
  /** Store that usable pictures are put into; a picture it already holds has been decoded before. */
  store?: Store;
}

export interface LoadedCoco {
  dataset: CocoDataset;
  report: ValidationReport;
}

/**
 * Reads a COCO dataset and makes it sound: see PROBLEMS in validation.ts for what is looked for. Sizes of pictures
 * are those of the upright picture (EXIF applied). Where the annotations give the size before a quarter turn, their
 * boxes are of the stored pixels and are turned with the picture; in every other case boxes are of the upright one,
 * as the size cannot tell (mirrored, upside down) or agrees.
 *
 * @throws UserError when the annotations are not COCO or no picture is usable
 */
export async function loadCoco(
  annotations: AnnotationText,
  files: PictureFiles,
  options: CocoOptions = {},
): Promise<LoadedCoco> {
  const { text, where } = annotations;
  const validation = new Validation();
  const raw = parseCoco(text, where);
  const listed = listImages(raw.images, where, validation);
  const categories = listCategories(raw.categories, where, validation);

  const found = new Set<string>();
  const progress = startProgress('check pictures', listed.length);
  let done = 0;
  const outcomes = await mapConcurrent(listed, CONCURRENCY, async (image) => {
    const outcome = await inspect(image, files, options, found);
    progress.update(++done);
    return outcome;
  }).finally(() => progress.stop());

  const images: CheckedImage[] = [];
  const dropped = new Set<number>();
  listed.forEach((image, index) => {
    const outcome = outcomes[index];
    if ('kind' in outcome) {
      validation.dropped(outcome.kind, image.where, outcome.detail);
      dropped.add(image.id);
    } else {
      images.push(reconcile(image, outcome, validation));
    }
  });
  validation.count('unlistedPicture', await files.countOthers(found));
  if (images.length === 0) {
    const { kind, detail } = outcomes[0] as Unusable;
    throw new UserError({
      where,
      field: listed[0].where,
      expected: 'at least one usable picture',
      received: `${listed.length} unusable, this one: ${[PROBLEMS[kind], detail].filter(Boolean).join(', ')}`,
      hint: 'File names are relative to the images folder.',
    });
  }
  return {
    dataset: {
      images: images.map(({ image }) => image),
      annotations: checkAnnotations(raw.annotations, images, dropped, categories, validation),
      categories,
    },
    report: validation.report,
  };
}

/**
 * Reads a COCO folder in place, without a store.
 *
 * @param images folder that file names are relative to
 * @param annotations COCO JSON file, or a zip holding one
 * @returns the sound dataset, and where each of its pictures lies
 * @throws UserError as {@link loadCoco} does, and when there is no such folder or file
 */
export async function readCoco(
  images: string,
  annotations: string,
  options: Omit<CocoOptions, 'store'> = {},
): Promise<LoadedCoco & { pathOf(image: CocoImage): string }> {
  const folder = await stat(images).catch(() => undefined);
  if (!folder?.isDirectory()) {
    throw new UserError({
      where: images,
      expected: 'a folder of pictures',
      received: folder ? 'a file' : 'nothing there',
    });
  }
  const loaded = await loadCoco(await readAnnotations(annotations), openFolder(images), options);
  return { ...loaded, pathOf: (image) => join(images, image.file_name) };
}

type Inspected = { header: PictureHeader; sha256?: string };
type Unusable = { kind: 'unsafePath' | 'missingPicture' | 'unreadablePicture'; detail: string };

async function inspect(
  image: ListedImage,
  files: PictureFiles,
  { store, ...options }: CocoOptions,
  seen: Set<string>,
): Promise<Inspected | Unusable> {
  if (!isSafeName(image.file_name)) return { kind: 'unsafePath', detail: '' };
  const found = await files.find(image.file_name);
  if (found === undefined) return { kind: 'missingPicture', detail: '' };
  seen.add(found);
  let bytes: Buffer;
  let header: PictureHeader;
  let stored = false;
  try {
    bytes = await files.read(found);
    header = await readHeader(bytes, options);
    stored = store !== undefined && (await store.hasObject(sha256(bytes)));
    if (options.checkPixels && !stored) await checkPixels(bytes, options);
  } catch (error) {
    return { kind: 'unreadablePicture', detail: messageOf(error) };
  }
  // Outside the try: a full disk is not the picture's fault.
  return { header, sha256: await store?.putObject(bytes) };
}

/** Settles the size, and whether the boxes have yet to be turned. */
function reconcile(listed: ListedImage, { header, sha256: hash }: Inspected, validation: Validation): CheckedImage {
  const { width, height, orientation } = header;
  const image: CocoImage = { id: listed.id, file_name: listed.file_name, width, height, ...(hash && { sha256: hash }) };
  if (listed.width === width && listed.height === height) return { image, turn: 1 };
  const given = `${listed.width}x${listed.height} given, ${width}x${height} in the file`;
  if (orientation >= 5 && listed.width === height && listed.height === width) {
    validation.fixed('rotatedPicture', listed.where, `${given}, EXIF orientation ${orientation}`);
    return { image, turn: orientation };
  }
  validation.fixed('sizeMismatch', listed.where, given);
  return { image, turn: 1 };
}
