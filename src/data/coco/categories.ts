import { describeValue } from '../../base/errors.js';
import { isRecord } from '../../base/record.js';
import type { CocoCategory } from '../../detect/coco.js';
import type { Validation } from '../validation.js';
import { type Id, idOf, isTextInteger, numberIds } from './json_ids.js';

export interface CategoryList {
  /** With unique names. */
  categories: CocoCategory[];
  /** Categories by the ids in the file. */
  byKey: Map<Id, CocoCategory>;
  /** Ids of entries that were dropped. */
  dropped: Set<Id>;
}

interface Entry {
  key: Id;
  name: string;
  supercategory?: string;
  where: string;
}

/**
 * Returns the usable category entries, in order. All entries of an id with several names are dropped, because they do
 * not say what its annotations show. Ids with the same name become one class, under the id used by most of
 * `annotations`: some exports list a group under the name of its only class.
 */
export function listCategories(
  items: readonly unknown[],
  annotations: readonly unknown[],
  validation: Validation,
): CategoryList {
  const dropped = new Set<Id>();
  const entries = usableEntries(items, dropped, validation);
  const uses = countUses(annotations);
  const byName = new Map<string, Entry[]>();
  for (const entry of entries) byName.set(entry.name, [...(byName.get(entry.name) ?? []), entry]);
  const numbers = numberIds(entries.map(({ key }) => key));
  const byKey = new Map<Id, CocoCategory>();
  const categories = [...byName.values()].map((same) => {
    const usesOf = ({ key }: Entry) => uses.get(key) ?? 0;
    const main = same.reduce((best, entry) => (usesOf(entry) > usesOf(best) ? entry : best));
    const { key, name, supercategory, where } = main;
    const id = numbers.get(key) as number;
    if (id !== key) validation.fixed('renumberedId', where, `id ${describeValue(key)} is ${id} now`);
    const category = supercategory === undefined ? { id, name } : { id, name, supercategory };
    for (const entry of same) byKey.set(entry.key, category);
    if (same.length > 1) {
      const found = same.map((entry) => `id ${entry.key}: ${usesOf(entry)} annotations`).join(', ');
      validation.fixed('duplicateCategoryName', where, found);
    }
    return category;
  });
  noteSimilar(categories, validation);
  return { categories, byKey, dropped };
}

function usableEntries(items: readonly unknown[], dropped: Set<Id>, validation: Validation): Entry[] {
  const byKey = new Map<Id, Entry[]>();
  items.forEach((item, index) => {
    const key = isRecord(item) ? idOf(item.id) : undefined;
    const name = isRecord(item) ? item.name : undefined;
    if (!isRecord(item) || key === undefined || typeof name !== 'string' || !name) {
      validation.dropped('malformedCategory', `categories[${index}]`, describeValue(item));
      if (key !== undefined) dropped.add(key);
      return;
    }
    if (isTextInteger(item.id)) validation.count('textId');
    const { supercategory } = item;
    const entry = { key, name, where: `categories[${index}] ${name}` };
    byKey.set(key, [
      ...(byKey.get(key) ?? []),
      typeof supercategory === 'string' ? { ...entry, supercategory } : entry,
    ]);
  });
  return [...byKey].flatMap(([key, [first, ...more]]) => {
    if (!dropped.has(key) && more.every(({ name }) => name === first.name)) {
      for (const { where } of more) validation.fixed('repeatedCategory', where, `taken once, as ${first.where}`);
      return [first];
    }
    dropped.add(key);
    for (const { where } of [first, ...more]) {
      validation.dropped('duplicateCategoryId', where, `id ${describeValue(key)}`);
    }
    return [];
  });
}

function countUses(annotations: readonly unknown[]): Map<Id, number> {
  const uses = new Map<Id, number>();
  for (const annotation of annotations) {
    const key = isRecord(annotation) ? idOf(annotation.category_id) : undefined;
    if (key !== undefined) uses.set(key, (uses.get(key) ?? 0) + 1);
  }
  return uses;
}

function noteSimilar(categories: readonly CocoCategory[], validation: Validation): void {
  const byForm = new Map<string, string>();
  for (const { name } of categories) {
    const form = name
      .normalize('NFKC')
      .trim()
      .replace(/[\s_-]+/g, ' ')
      .toLowerCase();
    const before = byForm.get(form);
    if (before === undefined) byForm.set(form, name);
    else validation.noted('similarCategoryName', `categories ${describeValue(before)}`, `and ${describeValue(name)}`);
  }
}
