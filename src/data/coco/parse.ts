import { UserError } from '../../base/errors.js';
import { isRecord } from '../../base/record.js';
import { parseJsonIds } from './json_ids.js';
import { recogniseJson, recogniseText } from './other_formats.js';

const CONVERT = 'Export or convert it as COCO instances JSON, an object of images, annotations and categories.';

const LISTS = ['images', 'annotations', 'categories'] as const;

/** A COCO file whose outer shape alone has been checked. */
export interface RawCoco {
  images: unknown[];
  annotations: unknown[];
  categories: unknown[];
}

/**
 * Parses the text of a COCO instances file, with its ids as {@link parseJsonIds} reads them.
 *
 * @param where name of the file, for messages
 * @param longMark see {@link parseJsonIds}
 * @throws UserError if the text is not JSON or does not have COCO's shape
 */
export function parseCoco(text: string, where: string, longMark = ''): RawCoco {
  const value = parse(text, where, longMark);
  refuseTwice(text, where);
  const other = recogniseJson(value);
  if (!isRecord(value)) {
    throw new UserError({
      where,
      expected: 'a COCO object with images, annotations and categories',
      received: other ?? (Array.isArray(value) ? 'an array' : value),
      hint: CONVERT,
    });
  }
  const list = (field: keyof RawCoco): unknown[] => {
    const items = value[field];
    if (Array.isArray(items)) return items;
    throw new UserError({
      where,
      field,
      expected: 'an array, as in a COCO instances file',
      received: other ?? items ?? 'nothing',
      hint: other && CONVERT,
    });
  };
  const [images, annotations, categories] = LISTS.map(list);
  const raw = { images, annotations, categories };
  for (const field of ['images', 'categories'] as const) {
    if (raw[field].length === 0) throw new UserError({ where, field, expected: 'at least one entry', received: [] });
  }
  return raw;
}

/** A string, or a bracket. */
const STRING_OR_BRACKET = /"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?|[{}[\]]/gs;

/**
 * JSON.parse keeps only the last list of each name, which would lose data of files merged by hand.
 * @throws UserError if the outermost object contains a list twice
 */
function refuseTwice(text: string, where: string): void {
  const names = LISTS.map((name) => `"${name}"`).filter((name) => text.indexOf(name) !== text.lastIndexOf(name));
  if (names.length === 0) return;
  const seen = new Set<string>();
  let depth = 0;
  for (const [token, colon] of text.matchAll(STRING_OR_BRACKET)) {
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (depth === 1 && colon !== undefined) {
      const name = token.slice(1, token.lastIndexOf('"'));
      if (seen.has(name) && names.includes(`"${name}"`)) {
        throw new UserError({ where, field: name, expected: 'one list', received: 'two', hint: 'Put them into one.' });
      }
      seen.add(name);
    }
  }
}

function parse(text: string, where: string, longMark: string): unknown {
  try {
    return parseJsonIds(text, where, longMark);
  } catch (error) {
    const received = recogniseText(text);
    if (received === undefined) throw error;
    throw new UserError(
      { where, expected: 'valid JSON, a COCO instances file', received, hint: CONVERT },
      { cause: error },
    );
  }
}
