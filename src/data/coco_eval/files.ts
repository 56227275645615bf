import { UserError } from '../../base/errors.js';
import { readText } from '../../base/files.js';
import { isRecord } from '../../base/record.js';
import type { CocoAnnotation, CocoDataset, CocoDetection } from '../../detect/coco.js';
import { parseJsonIds } from '../coco/json_ids.js';
import { parseCoco } from '../coco/parse.js';
import { type Entry, entriesOf } from './entries.js';
import { describeId, isZero, LONG_ID, numberInOrder, type SourceId } from './ids.js';
import { MAX_DETECTIONS } from './match.js';
import type { NoticeKind, Notices } from './notices.js';

/** An unrepaired COCO instances file, because repairs would change the figures. */
export interface GroundTruth {
  /**
   * Images and categories are numbered from 1 in the order of the file's ids. An annotation's id is 0 or its position.
   */
  dataset: CocoDataset;
  /** These numbers by the ids in the file. */
  imageIds: ReadonlyMap<SourceId, number>;
  categoryIds: ReadonlyMap<SourceId, number>;
}

/**
 * Reads a COCO instances file. Leaves out what pycocotools leaves out, with a notice.
 * @throws UserError at the first entry that lacks required fields or repeats an annotation id
 */
export async function readGroundTruth(path: string, notices: Notices): Promise<GroundTruth> {
  const raw = parseCoco(await readText(path), path, LONG_ID);
  const categories = entriesOf(path, 'categories', raw.categories);
  const imageIds = numberEntries(entriesOf(path, 'images', raw.images), 'duplicateImageId', notices);
  const categoryIds = numberEntries(categories, 'duplicateCategoryId', notices);
  const names = new Map(categories.map((entry) => [entry.id('id'), entry.raw('name')]));
  const annotations = readAnnotations(entriesOf(path, 'annotations', raw.annotations), notices);
  const dataset: CocoDataset = {
    images: [...imageIds.values()].map((id) => ({ id, file_name: '', width: 0, height: 0 })),
    categories: [...categoryIds].map(([source, id]) => ({ id, name: String(names.get(source) || source) })),
    annotations: annotations.flatMap(({ entry, annotation }) => {
      const [image_id, category_id] = [imageIds.get(entry.id('image_id')), categoryIds.get(entry.id('category_id'))];
      if (image_id === undefined) notices.add('unknownImage', place(entry, 'image_id'));
      else if (category_id === undefined) notices.add('unknownCategory', place(entry, 'category_id'));
      return image_id === undefined || category_id === undefined ? [] : [{ ...annotation, image_id, category_id }];
    }),
  };
  return { dataset, imageIds, categoryIds };
}

/**
 * Reads a COCO results file: a list of `{image_id, category_id, bbox, score}`. Leaves out detections of unknown
 * categories, with a notice.
 * @throws UserError also if a detection belongs to an image that is not in the ground truth
 */
export async function readDetections(
  path: string,
  { imageIds, categoryIds }: GroundTruth,
  notices: Notices,
): Promise<CocoDetection[]> {
  const list = parseJsonIds(await readText(path), path, LONG_ID);
  if (!Array.isArray(list)) {
    throw new UserError({ where: path, expected: 'an array of detections, COCO results', ...describeOther(list) });
  }
  if (list.length === 0) notices.add('noDetections', path);
  const counts = new Map<string, number>();
  return entriesOf(path, '', list).flatMap((entry) => {
    const image_id = imageIds.get(entry.id('image_id'));
    const category_id = categoryIds.get(entry.id('category_id'));
    const [bbox, score] = [entry.box(), entry.number('score')];
    if (image_id === undefined) {
      return entry.refuse('image_id', 'the id of an image in the ground truth', unknownImageHint(entry, imageIds));
    }
    if (category_id === undefined) {
      notices.add('unknownDetectedCategory', place(entry, 'category_id'));
      return [];
    }
    if (bbox[2] < 0 || bbox[3] < 0) notices.add('negativeSize', entry.where);
    const pair = `${image_id} ${category_id}`;
    const count = (counts.get(pair) ?? 0) + 1;
    counts.set(pair, count);
    if (count > MAX_DETECTIONS) notices.add('beyondLimit', entry.where);
    return [{ image_id, category_id, bbox, score }];
  });
}

/** Describes a value that is not a list of detections, with a remedy. */
function describeOther(value: unknown): { received: unknown; hint?: string } {
  if (!isRecord(value)) return { received: value };
  if ('images' in value) {
    return { received: 'a COCO dataset', hint: 'Is this the ground truth? That goes to --gt.' };
  }
  const key = Object.keys(value).find((name) => Array.isArray(value[name]));
  if (key === undefined) return { received: 'an object' };
  const received = `an object with a list under ${JSON.stringify(key)}`;
  return { received, hint: 'Write a list of {image_id, category_id, bbox, score} alone.' };
}

function unknownImageHint(entry: Entry, imageIds: GroundTruth['imageIds']): string {
  const [example] = imageIds.keys();
  const like = `Its ids are like ${describeId(example)}`;
  return typeof entry.id('image_id') === 'string' && typeof example !== 'string'
    ? `${like}: write these numbers, neither text nor file names.`
    : `${like}: is it the ground truth of these detections?`;
}

/** Assigns numbers to the ids of a list. @throws UserError for both numeric and text ids in one list */
function numberEntries(entries: readonly Entry[], duplicate: NoticeKind, notices: Notices): Map<SourceId, number> {
  const seen = new Set<SourceId>();
  const text = typeof entries[0].id('id') === 'string';
  for (const entry of entries) {
    const id = entry.id('id');
    if ((typeof id === 'string') !== text) {
      entry.refuse(
        'id',
        `${text ? 'text' : 'a number'}, as ids before it are`,
        'pycocotools cannot sort both together.',
      );
    }
    if (seen.has(id)) notices.add(duplicate, place(entry, 'id'));
    seen.add(id);
  }
  return numberInOrder(seen);
}

type OwnFields = Omit<CocoAnnotation, 'image_id' | 'category_id'>;

function readAnnotations(entries: readonly Entry[], notices: Notices): { entry: Entry; annotation: OwnFields }[] {
  const seen = new Map<SourceId, Entry>();
  return entries.map((entry, index) => {
    const id = entry.id('id');
    const twin = seen.get(id);
    if (twin) {
      const hint = `${twin.place} has it too; pycocotools counts one of them twice and the other not at all. Renumber them.`;
      entry.refuse('id', 'an id that no other annotation has', hint);
    }
    seen.set(id, entry);
    if (isZero(id)) notices.add('zeroId', entry.where);
    else if (typeof id === 'string') notices.add('textId', place(entry, 'id'));
    const iscrowd = crowdOf(entry, notices);
    if (entry.raw('ignore') && !iscrowd) notices.add('ignoreField', entry.where);
    const bbox = entry.box();
    if (bbox[2] < 0 || bbox[3] < 0) notices.add('negativeObject', entry.where);
    return { entry, annotation: { id: isZero(id) ? 0 : index + 1, bbox, area: entry.number('area'), iscrowd } };
  });
}

function crowdOf(entry: Entry, notices: Notices): 0 | 1 {
  const value = entry.raw('iscrowd');
  if (value === undefined) notices.add('missingIscrowd', entry.where);
  else if (value !== 0 && value !== 1 && typeof value !== 'boolean') entry.refuse('iscrowd', '0 or 1');
  return value ? 1 : 0;
}

function place(entry: Entry, field: string): string {
  return `${entry.where}.${field} ${describeId(entry.id(field))}`;
}
