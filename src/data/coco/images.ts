import { describeValue } from '../../base/errors.js';
import { isRecord } from '../../base/record.js';
import type { Validation } from '../validation.js';
import { type Id, idOf, isTextInteger, numberIds } from './json_ids.js';

/** Image entry whose id and file name are usable; 0 stands for a size that was not given. */
export interface ListedImage {
  /** As the file has it; annotations refer to it. */
  key: Id;
  /** Ours: the same where it is an integer. */
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
 * The image entries that can be used, in order. An id used for several images says of none of its annotations which
 * image they are of, so all these images are dropped; an entry repeated word for word is one image.
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

/** The one image that the entries of an id are all of, nothing when they differ. */
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
