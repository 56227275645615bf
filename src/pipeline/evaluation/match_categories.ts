import { UserError } from '../../base/errors.js';
import type { CocoDataset } from '../../detect/coco.js';
import type { Detection } from '../../detect/nms.js';

/** Match of a model's classes with a dataset's categories, by name. */
export interface CategoryMatch {
  /** Index in the dataset's categories by class index; −1 for classes the dataset lacks. */
  indexOf: number[];
  /** Categories without a class in the model: their objects cannot be found, and their AP is 0. */
  unknownToModel: string[];
  /** Classes without a category in the dataset: their detections are left out, because they cannot be judged. */
  unknownToDataset: string[];
}

/**
 * Matches classes with categories of the same name; among several with the same name, with the one that has objects.
 * @throws UserError if no name matches, or several categories of one name have objects
 */
export function matchCategories(classes: readonly string[], { categories, annotations }: CocoDataset): CategoryMatch {
  const used = new Set(annotations.map(({ category_id }) => category_id));
  const indexOf = classes.map((name) => {
    const own = categories.flatMap((category, index) => (category.name === name ? [index] : []));
    const withObjects = own.filter((index) => used.has(categories[index].id));
    if (withObjects.length > 1) {
      throw new UserError({
        field: 'categories',
        expected: 'one category of each name, as classes are matched by name',
        received: withObjects.map((index) => `${categories[index].id} ${name}`).join(', '),
        hint: 'Rename or merge them.',
      });
    }
    return withObjects[0] ?? own[0] ?? -1;
  });
  const shared = new Set(indexOf.filter((index) => index >= 0));
  if (shared.size === 0) {
    throw new UserError({
      field: 'categories',
      expected: `some of the model's classes (${classes.join(', ')})`,
      received: categories.map(({ name }) => name).join(', '),
      hint: 'Classes are matched by name.',
    });
  }
  const known = new Set(classes);
  return {
    indexOf,
    unknownToModel: categories.flatMap(({ name }) => (known.has(name) ? [] : [name])),
    unknownToDataset: classes.filter((_, index) => indexOf[index] < 0),
  };
}

/** Converts class indices of detections to indices of the dataset's categories, leaving out other classes. */
export function toCategories(detections: readonly Detection[], { indexOf }: CategoryMatch): Detection[] {
  return detections
    .map((detection) => ({ ...detection, classIndex: indexOf[detection.classIndex] }))
    .filter(({ classIndex }) => classIndex >= 0);
}
