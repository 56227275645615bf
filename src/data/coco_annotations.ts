import { describeValue } from '../base/errors.js';
import type { Box, CocoAnnotation, CocoCategory, CocoImage } from './coco.js';
import { isRecord } from './coco_parse.js';
import type { Validation } from './validation.js';

/** How far a box may reach out of its picture, pixels: COCO's coordinates are rounded to two decimals. */
const EDGE_TOLERANCE = 0.01;

/** A usable picture, and the EXIF orientation its boxes have yet to be turned by (1: none). */
export interface CheckedImage {
  image: CocoImage;
  turn: number;
}

/**
 * Turns annotation entries into annotations every later step can rely on: known picture and category, unique id,
 * a finite box of positive area inside its upright picture, once only, with area and iscrowd. What can be repaired is,
 * the rest is dropped; `validation` lists both.
 *
 * @param dropped ids of listed images that are not in `images` because their file was not usable
 */
export function checkAnnotations(
  entries: readonly unknown[],
  images: readonly CheckedImage[],
  dropped: ReadonlySet<number>,
  categories: readonly CocoCategory[],
  validation: Validation,
): CocoAnnotation[] {
  const imageOf = new Map(images.map((checked) => [checked.image.id, checked]));
  const categoryIds = new Set<unknown>(categories.map(({ id }) => id));
  const uniqueId = idGiver(entries, validation);
  const seenBoxes = new Set<string>();
  const annotations: CocoAnnotation[] = [];

  entries.forEach((entry, index) => {
    if (!isRecord(entry) || !isBoxLike(entry.bbox)) {
      validation.dropped('malformedAnnotation', `annotations[${index}]`, describeValue(entry));
      return;
    }
    const where = `annotations[${index}] id ${describeValue(entry.id)}`;
    const imageId = entry.image_id as number;
    const checked = imageOf.get(imageId);
    if (!checked) {
      const kind = dropped.has(imageId) ? 'annotationOfDropped' : 'unknownImage';
      validation.dropped(kind, where, `image_id ${describeValue(imageId)}`);
      return;
    }
    if (!categoryIds.has(entry.category_id)) {
      validation.dropped('unknownCategory', where, `category_id ${describeValue(entry.category_id)}`);
      return;
    }
    const bbox = checkBox(entry.bbox, checked, where, validation);
    if (!bbox) return;
    const key = [imageId, entry.category_id, ...bbox].join();
    if (seenBoxes.has(key)) {
      validation.dropped('duplicateBox', where, bbox.join(' '));
      return;
    }
    seenBoxes.add(key);
    annotations.push({
      id: uniqueId(entry.id, where),
      image_id: imageId,
      category_id: entry.category_id as number,
      bbox,
      area: checkArea(entry.area, bbox, where, validation),
      iscrowd: checkIscrowd(entry.iscrowd, where, validation),
    });
  });
  return annotations;
}

/** Four numbers, or nulls where the file said NaN. */
function isBoxLike(value: unknown): value is (number | null)[] {
  return Array.isArray(value) && value.length === 4 && value.every((v) => typeof v === 'number' || v === null);
}

function checkBox(
  box: (number | null)[],
  checked: CheckedImage,
  where: string,
  validation: Validation,
): Box | undefined {
  const text = box.join(' ');
  if (!box.every(Number.isFinite)) {
    validation.dropped('nonFiniteBox', where, describeValue(box));
    return undefined;
  }
  const [x, y, width, height] = turnBox(box as Box, checked);
  if (width < 0 || height < 0) {
    validation.dropped('negativeBox', where, text);
    return undefined;
  }
  if (width * height === 0) {
    validation.dropped('emptyBox', where, text);
    return undefined;
  }
  const { image } = checked;
  const left = Math.max(x, 0);
  const top = Math.max(y, 0);
  const right = Math.min(x + width, image.width);
  const bottom = Math.min(y + height, image.height);
  if (right <= left || bottom <= top) {
    validation.dropped('boxOutside', where, `${text} in ${image.width}x${image.height}`);
    return undefined;
  }
  const overhang = Math.max(left - x, top - y, x + width - right, y + height - bottom);
  if (overhang <= EDGE_TOLERANCE) return [x, y, width, height];
  validation.fixed('boxClipped', where, `${text} to ${image.width}x${image.height}`);
  return [left, top, right - left, bottom - top];
}

/** A box of the stored pixels in the upright picture; orientations as in EXIF 2.3, tag 0x0112. */
function turnBox([x, y, w, h]: Box, { image: { width, height }, turn }: CheckedImage): Box {
  switch (turn) {
    case 5:
      return [y, x, h, w];
    case 6:
      return [width - y - h, x, h, w];
    case 7:
      return [width - y - h, height - x - w, h, w];
    case 8:
      return [y, height - x - w, h, w];
    default:
      return [x, y, w, h];
  }
}

function checkArea(area: unknown, [, , width, height]: Box, where: string, validation: Validation): number {
  if (typeof area === 'number' && Number.isFinite(area) && area > 0) return area;
  validation.fixed('missingArea', where, `area ${describeValue(area)}: that of the box taken`);
  return width * height;
}

function checkIscrowd(iscrowd: unknown, where: string, validation: Validation): 0 | 1 {
  if (iscrowd === 0 || iscrowd === false) return 0;
  if (iscrowd === 1 || iscrowd === true) return 1;
  validation.fixed('missingIscrowd', where, `iscrowd ${describeValue(iscrowd)}: 0 taken`);
  return 0;
}

/** Gives each annotation its own id if that is free, else the next above all in the file. */
function idGiver(entries: readonly unknown[], validation: Validation): (id: unknown, where: string) => number {
  const used = new Set<number>();
  let next = 1;
  for (const entry of entries) {
    if (isRecord(entry) && Number.isSafeInteger(entry.id)) next = Math.max(next, (entry.id as number) + 1);
  }
  return (id, where) => {
    const free = Number.isSafeInteger(id) && !used.has(id as number);
    const given = free ? (id as number) : next++;
    if (!free) validation.fixed('duplicateAnnotationId', where, `id ${given} given`);
    used.add(given);
    return given;
  };
}
