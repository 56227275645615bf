import { describeValue, UserError } from '../base/errors.js';
import type { CocoCategory } from './coco.js';
import { parseJsonIds } from './json_ids.js';
import type { Validation } from './validation.js';

/** A COCO file of which only the outer shape is known. */
export interface RawCoco {
  images: unknown[];
  annotations: unknown[];
  categories: unknown[];
}

/** Image entry whose id and file name are usable; 0 stands for a size that was not given. */
export interface ListedImage {
  id: number;
  file_name: string;
  width: number;
  height: number;
  /** Path of the entry in the annotation file. */
  where: string;
}

/**
 * Parses the text of a COCO instances file, with its ids as {@link parseJsonIds} reads them.
 *
 * @param where name of the file, for messages
 * @param longMark see {@link parseJsonIds}
 * @throws UserError when the text is not JSON or not of COCO's shape
 */
export function parseCoco(text: string, where: string, longMark = ''): RawCoco {
  const value = parseJsonIds(text, where, longMark);
  if (!isRecord(value)) {
    throw new UserError({
      where,
      expected: 'a COCO object with images, annotations and categories',
      received: Array.isArray(value) ? 'an array' : value,
      hint: 'A list of detections (COCO results) is not a dataset.',
    });
  }
  const list = (field: keyof RawCoco): unknown[] => {
    const items = value[field];
    if (Array.isArray(items)) return items;
    throw new UserError({
      where,
      field,
      expected: 'an array, as in a COCO instances file',
      received: items ?? 'nothing',
    });
  };
  const raw = { images: list('images'), annotations: list('annotations'), categories: list('categories') };
  for (const field of ['images', 'categories'] as const) {
    if (raw[field].length === 0) throw new UserError({ where, field, expected: 'at least one entry', received: [] });
  }
  return raw;
}

/** The image entries that can be used, in order. @throws UserError when there is none */
export function listImages(items: readonly unknown[], where: string, validation: Validation): ListedImage[] {
  const seen = new Set<number>();
  const images: ListedImage[] = [];
  items.forEach((item, index) => {
    const place = `images[${index}]`;
    if (!isRecord(item) || !Number.isSafeInteger(item.id) || typeof item.file_name !== 'string' || !item.file_name) {
      validation.dropped('malformedImage', place, describeValue(item));
      return;
    }
    const image = { id: item.id as number, file_name: item.file_name, where: `${place} ${item.file_name}` };
    if (seen.has(image.id)) {
      validation.dropped('duplicateImageId', image.where, `id ${image.id}`);
      return;
    }
    seen.add(image.id);
    images.push({ ...image, width: sizeOrZero(item.width), height: sizeOrZero(item.height) });
  });
  return someOf(images, items, where, 'images', '{ id: integer, file_name: string, … }');
}

/** The category entries that can be used, in order. @throws UserError when there is none */
export function listCategories(items: readonly unknown[], where: string, validation: Validation): CocoCategory[] {
  const seen = new Set<number>();
  const categories: CocoCategory[] = [];
  items.forEach((item, index) => {
    const place = `categories[${index}]`;
    if (!isRecord(item) || !Number.isSafeInteger(item.id) || typeof item.name !== 'string' || !item.name) {
      validation.dropped('malformedCategory', place, describeValue(item));
      return;
    }
    const id = item.id as number;
    if (seen.has(id)) {
      validation.dropped('duplicateCategoryId', `${place} ${item.name}`, `id ${id}`);
      return;
    }
    seen.add(id);
    const { name, supercategory } = item;
    categories.push(typeof supercategory === 'string' ? { id, name, supercategory } : { id, name });
  });
  return someOf(categories, items, where, 'categories', '{ id: integer, name: string, … }');
}

function someOf<T>(usable: T[], items: readonly unknown[], where: string, field: string, expected: string): T[] {
  if (usable.length > 0) return usable;
  throw new UserError({ where, field: `${field}[0]`, expected, received: items[0] });
}

function sizeOrZero(value: unknown): number {
  return Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : 0;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
