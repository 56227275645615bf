import { describeValue } from '../../base/errors.js';
import { isRecord } from '../../base/record.js';
import type { Validation } from '../validation.js';
import { type Id, idOf, isTextInteger, numberIds } from './json_ids.js';

/** An image entry with usable id and file name; a missing size is 0. */
export interface ListedImage {
  /** Id in the file, which annotations refer to. */
  key: Id;
  /** Our id: the same if it is an integer. */
  id: number;
  file_name: string;
  width: number;
  height: number;
  /** Path of the entry in the annotation file. */
  where: string;
}

export interface ImageList {
  images: ListedImage[];
  /** Ids of entries that were dropped. */
  dropped: Set<Id>;
}

/**
 * Returns the usable image entries, in order. All images that share an id are dropped, because its annotations do not
 * say which image they belong to; identical entries count as one image.
 */
export function listImages(items: readonly unknown[], validation: Validation): ImageList {
  const byKey = new Map<Id, Omit<ListedImage, 'id'>[]>();
  const dropped = new Set<Id>();
  items.forEach((item, index) => {
    const key = isRecord(item) ? idOf(item.id) : undefined;
    const name = isRecord(item) ? item.file_name : undefined;
    if (!isRecord(item) || key === undefined || typeof name !== 'string' || !name) {
      validation.dropped('malformedImage', `images[${index}]`, describeValue(item));
      if (key !== undefined) dropped.add(key);
      return;
    }
    if (isTextInteger(item.id)) validation.count('textId');
    const [width, height] = [sizeOrZero(item.width), sizeOrZero(item.height)];
    const image = { key, file_name: name, width, height, where: `images[${index}] ${name}` };
    byKey.set(key, [...(byKey.get(key) ?? []), image]);
  });
  const kept = [...byKey.values()].flatMap((entries) => {
    const usable = withoutRepeats(entries, validation);
    if (usable.length > 0 && !dropped.has(usable[0].key)) return usable;
    const { key } = entries[0];
    dropped.add(key);
    for (const { where } of entries) validation.dropped('duplicateImageId', where, `id ${describeValue(key)}`);
    return [];
  });
  const numbers = numberIds(kept.map(({ key }) => key));
  const images = kept.map((image) => {
    const id = numbers.get(image.key) as number;
    if (id !== image.key) validation.fixed('renumberedId', image.where, `id ${describeValue(image.key)} is ${id} now`);
    return { ...image, id };
  });
  return { images, dropped };
}

/** Returns the image if all entries of an id are equal, nothing if they differ. */
function withoutRepeats<T extends Omit<ListedImage, 'id'>>(
  [first, ...more]: readonly T[],
  validation: Validation,
): T[] {
  const same = ({ file_name, width, height }: T) =>
    file_name === first.file_name && width === first.width && height === first.height;
  if (!more.every(same)) return [];
  for (const { where } of more) validation.fixed('repeatedImage', where, `taken once, as ${first.where}`);
  return [first];
}

function sizeOrZero(value: unknown): number {
  const size = typeof value === 'string' ? Number(value) : value;
  return Number.isSafeInteger(size) && (size as number) > 0 ? (size as number) : 0;
}
