import { stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { parse } from 'yaml';
import { messageOf, UserError } from '../base/errors.js';
import { readText } from '../base/files.js';
import { log } from '../base/progress.js';
import type { CocoCategory } from './coco.js';

/** Extensions of files with names; all other files are read as lists with one name per line. */
const FILE_ENDING = /\.(txt|names|json|ya?ml)$/i;

/** Keys for names in files of Ultralytics, mmdetection and Hugging Face. */
const NAME_KEYS = ['names', 'classes', 'CLASSES', 'id2label'];

/**
 * Reads class names, in the order of a network's outputs, from the value of `--classes`: comma-separated names or a
 * file. A file has one name per line, or is JSON or YAML: a list, a list under `names`, a mapping from 0… to names, or
 * COCO's `categories`, sorted by id as in Megvii's YOLOX. Names are text, even if they are digits.
 * @throws UserError for a file that is missing or contains something else, and for empty or repeated names
 */
export async function readClassNames(given: string, where = '--classes'): Promise<CocoCategory[]> {
  if ((await stat(given).catch(() => undefined))?.isFile()) return checked(await readFileOf(given), given);
  if (FILE_ENDING.test(given) || given.includes('/')) {
    throw new UserError({
      where,
      expected: 'names separated by commas, or an existing file',
      received: given,
    });
  }
  return checked(numbered(given.split(',')), where);
}

async function readFileOf(path: string): Promise<CocoCategory[]> {
  const text = await readText(path);
  const structured = /^\.(json|ya?ml)$/i.test(extname(path)) || /^\s*[[{]/.test(text);
  if (!structured) {
    const lines = text.split(/\r\n|\r|\n/).filter((line) => line.trim() !== '');
    return numbered(withoutNumbers(lines, path));
  }
  const found = categoriesIn(parseStructured(text, path));
  if (found !== undefined) return found;
  throw new UserError({
    where: path,
    expected: 'names of classes: a list, `names`, or the `categories` of COCO',
    received: text.slice(0, 60),
  });
}

/** If every line starts with its own number, from 0 or 1, the numbers are removed: `0 helmet`, `1: vest`, `2,boots`. */
function withoutNumbers(lines: readonly string[], path: string): readonly string[] {
  for (const first of [0, 1]) {
    const names = lines.map((line, i) => new RegExp(`^\\s*${i + first}\\s*[:,;\\s]\\s*(\\S.*)$`).exec(line)?.[1]);
    if (lines.length < 2 || names.includes(undefined)) continue;
    log(`${path}: the numbers before the names, from ${first} to ${lines.length - 1 + first}, are removed`);
    return names as string[];
  }
  return lines;
}

function parseStructured(text: string, path: string): unknown {
  try {
    // The failsafe schema keeps names of digits as written. JSON quotes names and is parsed faster by itself.
    return /^\s*[[{]/.test(text) ? JSON.parse(text) : parse(text, { schema: 'failsafe' });
  } catch (error) {
    throw new UserError({ where: path, expected: 'valid JSON or YAML', received: messageOf(error) }, { cause: error });
  }
}

function categoriesIn(value: unknown): CocoCategory[] | undefined {
  if (Array.isArray(value)) return value.every(isName) ? numbered(value.map(String)) : cocoCategories(value);
  if (typeof value !== 'object' || value === null) return undefined;
  const object = value as Record<string, unknown>;
  if (Array.isArray(object.categories)) return categoriesIn(object.categories);
  const key = NAME_KEYS.find((name) => name in object);
  return key === undefined ? indexed(object) : categoriesIn(object[key]);
}

const isName = (value: unknown): value is string | number => typeof value === 'string' || typeof value === 'number';

const numbered = (names: readonly string[]): CocoCategory[] =>
  names.map((name, i) => ({ id: i + 1, name: name.trim() }));

/** `{0: a, 1: b}`: every number from 0 once. */
function indexed(object: Record<string, unknown>): CocoCategory[] | undefined {
  const names = Object.keys(object).map((_, i) => object[i]);
  return names.length > 0 && names.every(isName) ? numbered(names.map(String)) : undefined;
}

/** COCO categories by ascending id, keeping ids that are whole numbers. */
function cocoCategories(list: readonly unknown[]): CocoCategory[] | undefined {
  const categories = list.map((entry) => {
    const { id, name, supercategory } = (entry ?? {}) as Record<string, unknown>;
    return isName(name) && isName(id) && Number.isSafeInteger(Number(id))
      ? { id: Number(id), name: String(name), ...(typeof supercategory === 'string' && { supercategory }) }
      : undefined;
  });
  const known = categories.filter((category) => category !== undefined);
  return known.length === list.length ? known.sort((a, b) => a.id - b.id) : undefined;
}

function checked(categories: CocoCategory[], where: string): CocoCategory[] {
  const fail = (expected: string, received: unknown) => new UserError({ where, expected, received });
  if (categories.length === 0) throw fail('at least one name', 'none');
  for (const [i, { name, id }] of categories.entries()) {
    const control = [...name].some((letter) => letter < ' ' || letter === '\x7f');
    if (control) throw fail('names without tabs and control characters', name);
    if (name === '') throw fail('names that are not empty', `none for class ${i}`);
    if (categories.findIndex((other) => other.name === name) < i) throw fail('different names', `${name} twice`);
    if (categories.findIndex((other) => other.id === id) < i) throw fail('different ids', `${id} twice`);
  }
  return categories;
}
