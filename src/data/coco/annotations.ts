import { describeValue } from '../../base/errors.js';
import { isRecord } from '../../base/record.js';
import type { Box } from '../../detect/box.js';
import type { CocoAnnotation } from '../../detect/coco.js';
import type { Validation } from '../validation.js';
import { type CheckedImage, checkBox } from './box.js';
import type { CategoryList } from './categories.js';
import { freeNumbers, type Id, idOf, isTextInteger } from './json_ids.js';

/** Images and categories that annotations refer to, by the ids of the file. */
export interface References {
  images: ReadonlyMap<Id, CheckedImage>;
  /** Ids of listed images that are not in `images`, because their entry or file was unusable. */
  dropped: ReadonlySet<Id>;
  categories: CategoryList;
}

/**
 * Turns annotation entries into annotations that later steps can rely on: known image and category, unique id, a finite
 * box of positive area inside the upright image, no repetition, with area and iscrowd. Repairs what it can and drops
 * the rest; `validation` lists both.
 */
export function checkAnnotations(
  entries: readonly unknown[],
  { images, dropped, categories }: References,
  validation: Validation,
): CocoAnnotation[] {
  const uniqueId = idGiver(entries, validation);
  const seenBoxes = new Set<string>();
  const annotations: CocoAnnotation[] = [];

  entries.forEach((entry, index) => {
    if (!isRecord(entry)) {
      validation.dropped('malformedAnnotation', `annotations[${index}]`, describeValue(entry));
      return;
    }
    const where = `annotations[${index}] id ${describeValue(entry.id)}`;
    const categoryKey = idOf(entry.category_id);
    const category = categoryKey === undefined ? undefined : categories.byKey.get(categoryKey);
    const drop = (kind: Parameters<Validation['dropped']>[0], detail: string) =>
      validation.dropped(kind, where, detail, category?.name);
    const imageKey = idOf(entry.image_id);
    const checked = imageKey === undefined ? undefined : images.get(imageKey);
    if (!checked) {
      const known = imageKey !== undefined && dropped.has(imageKey);
      drop(known ? 'annotationOfDropped' : 'unknownImage', `image_id ${describeValue(entry.image_id)}`);
      return;
    }
    if (!category) {
      const known = categoryKey !== undefined && categories.dropped.has(categoryKey);
      drop(known ? 'annotationOfDropped' : 'unknownCategory', `category_id ${describeValue(entry.category_id)}`);
      return;
    }
    for (const id of [entry.image_id, entry.category_id]) if (isTextInteger(id)) validation.count('textId');
    const box = checkBox(entry, checked, where, validation);
    if (!Array.isArray(box)) {
      drop(box.kind, box.detail);
      return;
    }
    const { image } = checked;
    const key = [image.id, category.id, ...box].join();
    if (seenBoxes.has(key)) {
      drop('duplicateBox', box.join(' '));
      return;
    }
    seenBoxes.add(key);
    const iscrowd = checkIscrowd(entry.iscrowd, where, validation);
    if (iscrowd) validation.count('crowd');
    annotations.push({
      id: uniqueId(entry.id, where),
      image_id: image.id,
      category_id: category.id,
      bbox: box,
      area: checkArea(entry.area, box, where, validation),
      iscrowd,
    });
  });
  return annotations;
}

function checkArea(value: unknown, [, , width, height]: Box, where: string, validation: Validation): number {
  const area = typeof value === 'string' ? Number(value) : value;
  if (typeof area === 'number' && Number.isFinite(area) && area > 0) return area;
  validation.fixed('missingArea', where, `area ${describeValue(value)}: that of the box taken`);
  return width * height;
}

function checkIscrowd(value: unknown, where: string, validation: Validation): 0 | 1 {
  if (value === 0 || value === false || value === '0') return 0;
  if (value === 1 || value === true || value === '1') return 1;
  validation.fixed('missingIscrowd', where, `iscrowd ${describeValue(value)}: 0 taken`);
  return 0;
}

/** Gives each annotation its own id if unused, else a new one above all ids in the file. */
function idGiver(entries: readonly unknown[], validation: Validation): (id: unknown, where: string) => number {
  const own = entries.map((entry) => (isRecord(entry) ? idOf(entry.id) : undefined));
  const free = freeNumbers(own.filter((id) => typeof id === 'number'));
  const used = new Set<number>();
  return (value, where) => {
    const id = idOf(value);
    const keeps = typeof id === 'number' && !used.has(id);
    const given = keeps ? id : free();
    if (!keeps) validation.fixed('duplicateAnnotationId', where, `id ${given} given`);
    used.add(given);
    return given;
  };
}
