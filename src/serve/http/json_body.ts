import { z } from 'zod';
import { describeValue, didYouMean } from '../../base/errors.js';
import { isRecord } from '../../base/record.js';
import { ApiError } from '../api_error.js';
import { checkJsonShape } from '../security/body_shape.js';
import { checkFields, parseJson } from './json_text.js';

const ENCODED = 'Base64 (RFC 4648, padded, in one line or several), or the same as a data URL: data:image/…;base64,…';
const DATA_URL = /^data:(image\/[a-z0-9.+-]{1,64}|application\/octet-stream)(;[a-z-]{1,64}=[^;,]{0,64})?;base64,/i;

const image = z
  .string()
  .transform((text, context): Buffer => {
    // Android, Java and Python's encodebytes break lines as MIME does.
    const base64 = text.replace(DATA_URL, '').replace(/\r?\n/g, '');
    const bytes = Buffer.from(base64, 'base64');
    // Node skips what it cannot read; only clean text survives the way back.
    if (bytes.length > 0 && bytes.toString('base64') === base64) return bytes;
    context.addIssue({ code: 'custom', message: ENCODED });
    return z.NEVER;
  })
  .meta({ description: ENCODED, contentEncoding: 'base64' });

/** The shapes of a JSON body, by their only key. */
const SHAPES = {
  image: z.strictObject({ image: image }),
  images: z.strictObject({ images: z.array(image).min(1, 'at least one image') }),
  url: z.strictObject({ url: z.string().max(2048, 'at most 2048 characters').meta({ format: 'uri' }) }),
};
const KEYS = Object.keys(SHAPES);

export const jsonBodySchema = z.union(Object.values(SHAPES)).meta({
  id: 'ImagesInJson',
  description: 'An image, a list of images, or the URL of one on a host that the service allows.',
});

export interface JsonBody {
  images: Buffer[];
  /** Whether the client sent a list. */
  list: boolean;
  /** URL to fetch the image from instead. */
  url?: string;
}

/**
 * Reads the JSON body of `POST /predict`.
 * @throws ApiError 400 naming the field that is wrong, unknown or there twice, 413 for far too many values
 */
export function readJsonBody(text: string): JsonBody {
  checkJsonShape(text);
  const body = parseJson(text);
  const key = onlyKey(body);
  const shape: z.ZodType<{ image?: Buffer; images?: Buffer[]; url?: string }> = SHAPES[key];
  const { image, images, url } = checkFields(shape, body);
  return { images: images ?? (image ? [image] : []), list: images !== undefined, url };
}

function onlyKey(body: unknown): keyof typeof SHAPES {
  const keys = isRecord(body) ? Object.keys(body) : [];
  const unknown = keys.find((key) => !Object.hasOwn(SHAPES, key));
  if (keys.length === 1 && unknown === undefined) return keys[0] as keyof typeof SHAPES;
  throw new ApiError({
    code: 'bad_body',
    message: 'The JSON body is not one image, a list of them, or the URL of one.',
    expected: `an object with one of the keys ${KEYS.join(', ')}`,
    received: isRecord(body) ? keys.slice(0, 10) : describeValue(body),
    hint: unknown === undefined ? undefined : didYouMean(unknown.slice(0, 100), KEYS),
  });
}
