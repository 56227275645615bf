import { UserError } from '../base/errors.js';
import { parseJsonIds } from './json_ids.js';
import { recogniseJson, recogniseText } from './other_formats.js';

const CONVERT = 'Export or convert it as COCO instances JSON, an object of images, annotations and categories.';

/** A COCO file of which only the outer shape is known. */
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
 * @throws UserError when the text is not JSON or not of COCO's shape
 */
export function parseCoco(text: string, where: string, longMark = ''): RawCoco {
  const value = parse(text, where, longMark);
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
  const raw = { images: list('images'), annotations: list('annotations'), categories: list('categories') };
  for (const field of ['images', 'categories'] as const) {
    if (raw[field].length === 0) throw new UserError({ where, field, expected: 'at least one entry', received: [] });
  }
  return raw;
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

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
