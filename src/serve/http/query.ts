import { z } from 'zod';
import type { CocoCategory } from '../../data/coco.js';
import type { Thresholds } from '../../data/detections.js';
import { HttpProblem } from './http_problem.js';

/** What the query of `POST /predict` asks; what it does not mention is as the bundle says. */
export interface PredictQuery extends Partial<Pick<Thresholds, 'confidence' | 'nms' | 'maxDetections' | 'only'>> {
  /** The picture's id as the client counts them; 0 when it does not say. */
  image_id: number;
}

/** Most objects a client may ask for. */
const MOST_OBJECTS = 1000;

const EXPECTED = {
  conf: 'a number from 0 to 1',
  iou: 'a number from 0 to 1',
  max: `a whole number from 1 to ${MOST_OBJECTS}`,
};
const share = z.string().trim().min(1).pipe(z.coerce.number<string>().min(0).max(1)).optional();
const whole = z.string().regex(/^\d+$/).pipe(z.coerce.number<string>().int().min(1).max(MOST_OBJECTS)).optional();
const schema = z.object({ conf: share, iou: share, max: whole });

/**
 * Reads `image_id`, `conf`, `iou`, `max` and `classes` (ids or names of categories, separated by commas).
 * @throws HttpProblem 400 naming the first parameter that is wrong
 */
export function readQuery(query: Record<string, string>, categories: readonly CocoCategory[]): PredictQuery {
  const image_id = readImageId(query.image_id);
  const parsed = schema.safeParse(query);
  if (!parsed.success) {
    const name = parsed.error.issues[0].path[0] as keyof typeof EXPECTED;
    throw badParameter(name, EXPECTED[name], query[name]);
  }
  const { conf, iou, max } = parsed.data;
  return {
    image_id,
    ...(conf !== undefined && { confidence: conf }),
    ...(iou !== undefined && { nms: iou }),
    ...(max !== undefined && { maxDetections: max }),
    ...(query.classes !== undefined && { only: readClasses(query.classes, categories) }),
  };
}

function readImageId(text = '0'): number {
  if (!/^\d{1,15}$/.test(text)) {
    throw new HttpProblem(400, {
      code: 'bad_image_id',
      message: 'The image_id is not a whole number.',
      expected: 'digits',
      received: text,
    });
  }
  return Number(text);
}

function readClasses(text: string, categories: readonly CocoCategory[]): number[] {
  return text.split(',').map((word) => {
    const asked = word.trim();
    const index = categories.findIndex(({ id, name }) => String(id) === asked || name === asked);
    if (index < 0) {
      const known = categories.map(({ id, name }) => `${id} ${name}`).join(', ');
      throw badParameter('classes', `ids or names, separated by commas, of: ${known}`, asked);
    }
    return index;
  });
}

function badParameter(name: string, expected: string, received: string): HttpProblem {
  return new HttpProblem(400, {
    code: 'bad_parameter',
    message: `The query parameter ${name} is wrong.`,
    expected,
    received,
  });
}
