import { UserError } from '../../base/errors.js';
import { readJson, readText } from '../../base/files.js';
import type { CocoDataset, CocoDetection } from '../coco.js';
import { isRecord, parseCoco } from '../coco_parse.js';

/**
 * Reads a COCO instances file as it stands: repairing it would change the figures.
 * @throws UserError at the first entry that lacks what the evaluation needs
 */
export async function readGroundTruth(path: string): Promise<CocoDataset> {
  const raw = parseCoco(await readText(path), path);
  checkEntries(raw.images, path, 'images', ['id']);
  checkEntries(raw.categories, path, 'categories', ['id']);
  checkEntries(raw.annotations, path, 'annotations', ['image_id', 'category_id', 'area', 'bbox']);
  return raw as unknown as CocoDataset;
}

/**
 * Reads a COCO results file: a list of `{image_id, category_id, bbox, score}`.
 * @throws UserError also when a detection is of an image that is not in `dataset`
 */
export async function readDetections(path: string, dataset: CocoDataset): Promise<CocoDetection[]> {
  const list = await readJson(path);
  if (!Array.isArray(list)) {
    throw new UserError({
      where: path,
      expected: 'an array of detections, COCO results',
      received: typeof list,
      hint: 'Is this the ground truth? That goes to --gt.',
    });
  }
  checkEntries(list, path, '', ['image_id', 'category_id', 'score', 'bbox']);
  const detections = list as CocoDetection[];
  const known = new Set(dataset.images.map(({ id }) => id));
  const stray = detections.findIndex(({ image_id }) => !known.has(image_id));
  if (stray >= 0) {
    throw new UserError({
      where: path,
      field: `[${stray}].image_id`,
      expected: 'the id of an image in the ground truth',
      received: detections[stray].image_id,
    });
  }
  return detections;
}

/** Makes sure each entry has finite numbers in `fields`; a `bbox` is four of them. */
function checkEntries(entries: readonly unknown[], where: string, list: string, fields: readonly string[]): void {
  entries.forEach((entry, index) => {
    for (const field of fields) {
      const value = isRecord(entry) ? entry[field] : undefined;
      const right = field === 'bbox' ? isBox(value) : Number.isFinite(value);
      if (right) continue;
      throw new UserError({
        where,
        field: `${list}[${index}].${field}`,
        expected: field === 'bbox' ? 'four numbers x, y, width, height' : 'a number',
        received: value === undefined ? 'nothing' : value,
      });
    }
  });
}

function isBox(value: unknown): boolean {
  return Array.isArray(value) && value.length === 4 && value.every(Number.isFinite);
}
