import { UserError } from '../base/errors.js';
import { log } from '../base/progress.js';
import type { CocoCategory } from '../data/coco.js';
import type { Detection } from '../data/detections.js';
import type { Picture } from '../data/picture.js';

type Detect = (picture: Picture) => Promise<Detection[]>;

/**
 * A detector whose class indices are positions in `wanted`, matched by name; detections of other classes are left
 * out, as the dataset can't tell whether they are right.
 * @throws UserError when no name is shared
 */
export function matchCategories(
  detect: Detect,
  known: readonly CocoCategory[],
  wanted: readonly CocoCategory[],
): Detect {
  const indexOf = known.map(({ name }) => wanted.findIndex((category) => category.name === name));
  const shared = indexOf.filter((index) => index >= 0).length;
  if (shared === 0) {
    throw new UserError({
      field: 'categories',
      expected: `some of the model's classes (${names(known)})`,
      received: names(wanted),
      hint: 'Classes are matched by name.',
    });
  }
  if (shared < wanted.length) log(`${wanted.length - shared} of ${wanted.length} categories are unknown to the model`);
  return async (picture) =>
    (await detect(picture))
      .map((detection) => ({ ...detection, classIndex: indexOf[detection.classIndex] }))
      .filter(({ classIndex }) => classIndex >= 0);
}

const names = (categories: readonly CocoCategory[]): string => categories.map(({ name }) => name).join(', ');
