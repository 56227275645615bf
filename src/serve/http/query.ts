import { z } from 'zod';
import { didYouMean } from '../../base/errors.js';
import type { CocoCategory } from '../../detect/coco.js';
import type { Thresholds } from '../../detect/nms.js';
import { ApiError } from '../api_error.js';

/** Most objects a client may ask for. */
const MOST_OBJECTS = 1000;

const FORMATS = ['json', 'coco', 'png'] as const;
export type Format = (typeof FORMATS)[number];

/** What the query of `POST /predict` asks; what it does not mention is as the bundle says. */
export interface PredictQuery {
  /** The first image's id as the client counts them; 0 when it does not say. */
  imageId: number;
  thresholds: Partial<Pick<Thresholds, 'confidence' | 'iou' | 'maxDetections' | 'classes'>>;
  format?: Format;
}

const share = z
  .string()
  .trim()
  .regex(/^(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i)
  .pipe(z.coerce.number<string>().min(0).max(1));
const digits = z.string().regex(/^\d{1,15}$/);

/** The parameters: how they are read, and what to say of them. */
export const PARAMETERS = {
  image_id: {
    schema: digits.pipe(z.coerce.number<string>().int().min(0)),
    expected: 'digits',
    about: 'Id of the image in the answer, 0 unless given; of several, the id of the first, the next has one more.',
  },
  conf: { schema: share, expected: 'a number from 0 to 1', about: 'Lowest score of an object.' },
  iou: {
    schema: share,
    expected: 'a number from 0 to 1',
    about: 'Highest overlap (IoU) of two objects of a class; the lower score goes.',
  },
  max: {
    schema: digits.pipe(z.coerce.number<string>().int().min(1).max(MOST_OBJECTS)),
    expected: `a whole number from 1 to ${MOST_OBJECTS}`,
    about: 'Most objects of an image.',
  },
  classes: {
    schema: z.string(),
    expected: 'ids or names of categories, separated by commas',
    about: 'Ids or names of the categories to look for, separated by commas.',
  },
  format: {
    schema: z.enum(FORMATS),
    expected: `one of ${FORMATS.join(', ')}`,
    about: 'json: boxes with their image. coco: COCO’s results list. png: the image with its boxes drawn.',
  },
} as const;

type Name = keyof typeof PARAMETERS;

/**
 * Reads the query of `POST /predict`.
 * @throws ApiError 400 naming the first parameter that is wrong, unknown or given twice
 */
export function readQuery(search: URLSearchParams, categories: readonly CocoCategory[]): PredictQuery {
  for (const name of search.keys()) checkName(name, search);
  const confidence = read('conf', search);
  const iou = read('iou', search);
  const maxDetections = read('max', search);
  const classes = read('classes', search);
  return {
    imageId: read('image_id', search) ?? 0,
    thresholds: {
      ...(confidence !== undefined && { confidence }),
      ...(iou !== undefined && { iou }),
      ...(maxDetections !== undefined && { maxDetections }),
      ...(classes !== undefined && { classes: readClasses(classes, categories) }),
    },
    format: read('format', search),
  };
}

function checkName(name: string, search: URLSearchParams): void {
  if (!Object.hasOwn(PARAMETERS, name)) {
    const known = Object.keys(PARAMETERS);
    throw new ApiError({
      code: 'unknown_parameter',
      message: `There is no query parameter ${JSON.stringify(name)}.`,
      expected: known.join(', '),
      received: name,
      hint: didYouMean(name, known),
    });
  }
  const values = search.getAll(name);
  if (values.length > 1) throw badParameter(name as Name, 'one value', values);
}

function read<N extends Name>(
  name: N,
  search: URLSearchParams,
): z.output<(typeof PARAMETERS)[N]['schema']> | undefined {
  const text = search.get(name);
  if (text === null) return undefined;
  const parsed = PARAMETERS[name].schema.safeParse(text);
  if (!parsed.success) throw badParameter(name, PARAMETERS[name].expected, text);
  return parsed.data as z.output<(typeof PARAMETERS)[N]['schema']>;
}

/** Indices of the categories asked for; all that have a name that several have. */
function readClasses(text: string, categories: readonly CocoCategory[]): number[] {
  return text.split(',').flatMap((word) => {
    const asked = word.trim();
    const byId = categories.findIndex(({ id }) => String(id) === asked);
    const byName = categories.flatMap(({ name }, i) => (name === asked ? [i] : []));
    if (byId < 0 && byName.length === 0) throw unknownClass(asked, categories);
    if (byId >= 0 && byName.some((index) => index !== byId)) {
      const { id, name } = categories[byName[0]];
      const expected = `one meaning: it is the id of ${categories[byId].name}, and the name of ${id}`;
      throw badParameter('classes', expected, asked, `Ask for ${categories[byId].name} or ${id}, not for ${name}.`);
    }
    return byName.length > 0 ? byName : [byId];
  });
}

function unknownClass(asked: string, categories: readonly CocoCategory[]): ApiError {
  const known = categories.map(({ id, name }) => `${id} ${name}`).join(', ');
  const names = categories.map(({ name }) => name);
  const hint = didYouMean(asked.slice(0, 100), names);
  const expected = `ids or names, separated by commas, of: ${known}`;
  return badParameter('classes', expected, asked, hint.startsWith('Did') ? hint : undefined);
}

function badParameter(name: Name, expected: string, received: unknown, hint?: string): ApiError {
  const code = name === 'image_id' ? 'bad_image_id' : 'bad_parameter';
  return new ApiError({ code, message: `The query parameter ${name} is wrong.`, expected, received, hint });
}
