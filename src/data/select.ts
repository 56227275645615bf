import { didYouMean, UserError } from '../base/errors.js';
import type { CocoCategory, CocoDataset } from './coco.js';

/**
 * Keeps the objects of the named categories and renumbers these 1…n in the given order, with the former id in
 * `old_id`; `names` null keeps all categories in their order. Pictures left without an object stay as background when
 * `keepEmpty`. Throws a UserError for an unknown or repeated name, and for a category without a single object.
 */
export function selectCategories(
  dataset: CocoDataset,
  names: readonly string[] | null,
  keepEmpty: boolean,
): CocoDataset {
  const categories = chosen(dataset.categories, names).map(
    (category, i): CocoCategory => ({ ...category, id: i + 1, old_id: category.id }),
  );
  const newIds = new Map(categories.map(({ id, old_id }) => [old_id, id]));
  const annotations = dataset.annotations.flatMap((annotation) => {
    const category = newIds.get(annotation.category_id);
    return category === undefined ? [] : [{ ...annotation, category_id: category }];
  });
  const withObjects = new Set(annotations.filter(({ iscrowd }) => !iscrowd).map(({ category_id }) => category_id));
  const bare = categories.filter(({ id }) => !withObjects.has(id)).map(({ name }) => name);
  if (bare.length > 0) {
    throw new UserError({
      field: 'prep.categories',
      expected: 'at least one object of every category',
      received: `none of ${bare.join(', ')}`,
      hint: 'Add pictures of it, or list under prep.categories only categories that occur.',
    });
  }
  const occupied = new Set(annotations.map(({ image_id }) => image_id));
  const images = keepEmpty ? dataset.images : dataset.images.filter(({ id }) => occupied.has(id));
  return { images, annotations, categories };
}

function chosen(categories: readonly CocoCategory[], names: readonly string[] | null): readonly CocoCategory[] {
  if (names === null) return categories;
  return names.map((name, i) => {
    const field = `prep.categories[${i}]`;
    if (names.indexOf(name) !== i) {
      throw new UserError({ field, expected: 'every category once', received: name, hint: 'Remove the repetition.' });
    }
    const category = categories.find((candidate) => candidate.name === name);
    if (category) return category;
    const known = categories.map((candidate) => candidate.name);
    throw new UserError({
      field,
      expected: 'the name of a category of the dataset',
      received: name,
      hint: didYouMean(name, known),
    });
  });
}
