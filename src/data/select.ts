import { didYouMean, UserError } from '../base/errors.js';
import type { CocoCategory, CocoDataset, CocoImage } from '../detect/coco.js';
import { commonestCause, type ValidationReport } from './validation.js';

export interface Selection<Image extends CocoImage> {
  dataset: CocoDataset<Image>;
  /** Notices about what was left out, for people. */
  notices: string[];
}

/** Most names shown of a list. */
const SHOWN = 10;

/**
 * Keeps the objects of the named categories and renumbers these 1…n in the given order, with the former id in `old_id`.
 * With `names` null, keeps all categories with objects, in their order, with a notice about the others. With
 * `keepEmpty`, images without objects stay as background.
 *
 * @param report of the dataset, which explains why a category has no objects
 * @throws UserError for an unknown or repeated name, for a named category without objects, and if no category has
 * objects
 */
export function selectCategories<Image extends CocoImage>(
  dataset: CocoDataset<Image>,
  names: readonly string[] | null,
  keepEmpty: boolean,
  report: ValidationReport,
): Selection<Image> {
  const withObjects = new Set(dataset.annotations.filter(({ iscrowd }) => !iscrowd).map((a) => a.category_id));
  const wanted = chosen(dataset.categories, names);
  const bare = wanted.filter(({ id }) => !withObjects.has(id));
  if (bare.length === wanted.length || (names !== null && bare.length > 0)) throw withoutObjects(bare, dataset, report);
  const categories = wanted
    .filter(({ id }) => withObjects.has(id))
    .map((category, i): CocoCategory => ({ ...category, id: i + 1, old_id: category.id }));
  const newIds = new Map(categories.map(({ id, old_id }) => [old_id, id]));
  const annotations = dataset.annotations.flatMap((annotation) => {
    const category = newIds.get(annotation.category_id);
    return category === undefined ? [] : [{ ...annotation, category_id: category }];
  });
  const occupied = new Set(annotations.map(({ image_id }) => image_id));
  const images = keepEmpty ? dataset.images : dataset.images.filter(({ id }) => occupied.has(id));
  return { dataset: { images, annotations, categories }, notices: noticesOf(bare, dataset, report) };
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

function withoutObjects(bare: readonly CocoCategory[], dataset: CocoDataset, report: ValidationReport): UserError {
  const reasons = bare.map((category) => reasonFor(category, dataset, report));
  const unused = bare.filter((_, i) => reasons[i] === undefined).map(({ name }) => name);
  const hints = reasons.filter((reason) => reason !== undefined).slice(0, 3);
  if (unused.length > 0) {
    hints.push(`No annotation is of ${listed(unused)}: annotate it, or leave it out of prep.categories.`);
  }
  return new UserError({
    field: 'prep.categories',
    expected: 'at least one object of every category',
    received: `none of ${bare.map(({ name }) => name).join(', ')}`,
    hint: hints.join(' '),
  });
}

function noticesOf(bare: readonly CocoCategory[], dataset: CocoDataset, report: ValidationReport): string[] {
  if (bare.length === 0) return [];
  const reasons = bare.flatMap((category) => reasonFor(category, dataset, report) ?? []);
  return [`left out as they have no object: ${listed(bare.map(({ name }) => name))}`, ...reasons];
}

/** Why an annotated category has no objects. */
function reasonFor({ id, name }: CocoCategory, dataset: CocoDataset, { items }: ValidationReport): string | undefined {
  const crowds = dataset.annotations.filter(({ category_id }) => category_id === id).length;
  if (crowds > 0) {
    const advice = 'if your tool writes masks so and they are objects, set prep.crowd: keep';
    return `All ${crowds} annotations of ${name} are crowds (iscrowd 1), which are not trained on: ${advice}.`;
  }
  const dropped = items.filter(({ action, category }) => action === 'dropped' && category === name);
  const cause = commonestCause(dropped, items);
  return (
    cause && `data-load dropped all ${dropped.length} annotations of ${name}: ${cause.text}. ${cause.remedy}`.trim()
  );
}

/** Joins names, shortening a long list. */
export function listed(names: readonly string[]): string {
  const rest = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '';
  return names.slice(0, SHOWN).join(', ') + rest;
}
