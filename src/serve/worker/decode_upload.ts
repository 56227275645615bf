import sharp from 'sharp';
import type { Problem } from '../../base/errors.js';
import { type DecodeLimits, type DecodeOptions, decodeImage, ImageError, type ImageFault } from '../../image/decode.js';
import type { Image } from '../../image/image.js';
import { ApiError, type ErrorBody } from '../api_error.js';

// For the whole process, as often as a thread of it loads sharp, which sets them otherwise: no image comes twice, and
// with several side by side one is not worth several threads.
sharp.cache(false);
sharp.concurrency(1);

/** What an image may cost: all its pixels, those of a side, and milliseconds of decoding. */
export type ImageLimits = Required<DecodeLimits>;

/** How an image that cannot be had is answered. */
const REFUSALS: Record<ImageFault, ErrorBody> = {
  format: { code: 'undecodable', message: 'This is not an image in a format that can be read.' },
  damaged: { code: 'undecodable', message: 'This image is damaged.' },
  tooManyPixels: { code: 'too_many_pixels', message: 'The image has too many pixels.' },
  tooManyParts: { code: 'too_many_parts', message: 'The image has too many scans, frames or pages.' },
  tooSlow: { code: 'too_slow', message: 'The image takes too long to decode.' },
};

/**
 * Decodes the image of a request; of several in one file, the frames of an animation, the first. The options are
 * those of {@link decodeImage}.
 * @throws ApiError 413 when it exceeds the limits, 422 when it is no image or a damaged one; TakesLong
 */
export async function decodeUpload(
  bytes: Uint8Array,
  limits: ImageLimits,
  options?: Pick<DecodeOptions, 'fit' | 'inThread' | 'short'>,
): Promise<Image> {
  try {
    return await decodeImage(bytes, { ...limits, ...options });
  } catch (cause) {
    if (cause instanceof ImageError) throw refusal(cause.fault, cause.problem);
    throw cause;
  }
}

function refusal(fault: ImageFault, { expected, received, hint }: Problem): ApiError {
  return new ApiError({ ...REFUSALS[fault], expected, received, hint });
}
