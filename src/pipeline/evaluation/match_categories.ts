import { UserError } from '../../base/errors.js';
import type { CocoDataset } from '../../detect/coco.js';
import type { Detection } from '../../detect/nms.js';

/** How a model's classes and a dataset's categories were matched, by name. */
export interface CategoryMatch {
  /** Place in the dataset's categories by class index; −1 for a class it does not have. */
  indexOf: number[];
  /** Categories the model has no class for: their objects can't be found, and their AP is 0. */
  unknownToModel: string[];
  /** Classes the dataset has no category for: what is found of them is left out, as it can't be told right from wrong. */
  unknownToDataset: string[];
}

/**
 * Matches classes with the categories of the same name; of several categories of one name, with the one that has objects.
 * @throws UserError when no name is shared, or several categories of one name have objects
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

/** Detections with class indices that are places in the dataset's categories; those of other classes are left out. */
export function toCategories(detections: readonly Detection[], { indexOf }: CategoryMatch): Detection[] {
  return detections
    .map((detection) => ({ ...detection, classIndex: indexOf[detection.classIndex] }))
    .filter(({ classIndex }) => classIndex >= 0);
}
