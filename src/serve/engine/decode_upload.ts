import sharp from 'sharp';
import { UserError } from '../../base/errors.js';
import { type DecodeOptions, decodePicture, readHeader } from '../../data/decode.js';
import type { Picture } from '../../data/picture.js';
import { HttpProblem } from '../http/http_problem.js';

// For the whole process, as often as a thread of it loads sharp, which sets them otherwise: no picture comes twice, and
// with several side by side one is not worth several threads.
sharp.cache(false);
sharp.concurrency(1);

/** How large a picture may be: all its pixels, and those of a side. */
export interface PictureLimits {
  maxPixels: number;
  maxSide: number;
}

/**
 * Decodes the picture of a request; of several in one file, the frames of an animation, the first. The options are
 * those of {@link decodePicture}.
 * @throws HttpProblem 413 when it is larger than the limits, 422 when it is no picture or a damaged one
 */
export async function decodeUpload(
  bytes: Uint8Array,
  limits: PictureLimits,
  options?: Pick<DecodeOptions, 'fit' | 'inThread'>,
): Promise<Picture> {
  try {
    return await decodePicture(bytes, { ...limits, ...options });
  } catch (cause) {
    if (!(cause instanceof UserError)) throw cause;
    const { expected, received, hint } = cause.problem;
    const any = { maxPixels: Number.POSITIVE_INFINITY };
    const size = await readHeader(bytes, any).catch(() => undefined);
    const tooLarge =
      size !== undefined &&
      (size.width * size.height > limits.maxPixels || Math.max(size.width, size.height) > limits.maxSide);
    throw tooLarge
      ? new HttpProblem(413, {
          code: 'too_many_pixels',
          message: 'The picture has too many pixels.',
          expected,
          received,
          hint,
        })
      : new HttpProblem(422, {
          code: 'undecodable',
          message: 'This is not a picture, or a damaged one.',
          expected,
          received,
          hint,
        });
  }
}
