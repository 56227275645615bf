import sharp from 'sharp';
import type { Problem } from '../../base/errors.js';
import type { CocoCategory } from '../../detect/coco.js';
import type { Detection } from '../../detect/nms.js';
import type { OnnxDetector } from '../../detect/onnx_detector.js';
import { classColor } from '../../image/colors.js';
import {
  type DecodeLimits,
  type DecodeOptions,
  decodeImage,
  ImageError,
  type ImageFault,
  TakesLong,
} from '../../image/decode.js';
import { annotate } from '../../image/draw.js';
import type { Image } from '../../image/image.js';
import { ApiError, type ErrorBody } from '../api_error.js';
import type { BatchResult, DetectRequest, Outcome } from '../detect_request.js';

// For the whole process, in every thread that loads sharp, which sets them otherwise: no image comes twice, and with
// several side by side one is not worth several threads.
sharp.cache(false);
sharp.concurrency(1);

/** How a fault of an image is answered. */
const REFUSALS: Record<ImageFault, ErrorBody> = {
  format: { code: 'undecodable', message: 'This is not an image in a format that can be read.' },
  damaged: { code: 'undecodable', message: 'This image is damaged.' },
  tooManyPixels: { code: 'too_many_pixels', message: 'The image has too many pixels.' },
  tooManyParts: { code: 'too_many_parts', message: 'The image has too many scans, frames or pages.' },
  tooSlow: { code: 'too_slow', message: 'The image takes too long to decode.' },
};

type Limits = Required<DecodeLimits>;
type Request = DetectRequest<Uint8Array>;

/** Decodes the images of a batch and finds their objects; one that is refused harms no other. */
export async function detectBatch(
  detector: OnnxDetector,
  requests: readonly Request[],
  limits: Limits,
): Promise<BatchResult> {
  const start = performance.now();
  const images = await Promise.all(requests.map((request) => decode(request, detector.size, limits)));
  const decodeMs = performance.now() - start;
  const decoded = images.flatMap((image, i) => (image instanceof Error ? [] : [{ image, i }]));
  const none = { detections: [], times: { letterbox: 0, inference: 0, post: 0 } };
  const { detections, times } =
    decoded.length === 0
      ? none
      : await detector.detectBatch(
          decoded.map(({ image }) => image),
          decoded.map(({ i }) => requests[i].thresholds),
        );
  const found = detections[Symbol.iterator]();
  const outcomes: Outcome[] = [];
  for (const [i, image] of images.entries()) {
    if (image instanceof TakesLong) outcomes.push({ long: true });
    else if (image instanceof ApiError) outcomes.push({ refused: image.body });
    else
      outcomes.push(await answer(requests[i], image, found.next().value as Detection[], detector.categories, limits));
  }
  return { outcomes, times: { decode: decodeMs, ...times } };
}

async function decode(
  { bytes, draw = false, alone = false }: Request,
  fit: readonly [number, number],
  limits: Limits,
): Promise<Image | ApiError | TakesLong> {
  try {
    const image = await decodeUpload(bytes, limits, { fit, inThread: true, short: !alone });
    // Decoding the whole of it and writing its PNG takes as long as many others.
    return draw && !alone && image.original ? new TakesLong() : image;
  } catch (error) {
    if (error instanceof ApiError || error instanceof TakesLong) return error;
    throw error;
  }
}

async function answer(
  { bytes, draw }: Request,
  image: Image,
  detections: Detection[],
  categories: readonly CocoCategory[],
  limits: Limits,
): Promise<Outcome> {
  const { width, height } = image.original ?? image;
  if (!draw) return { width, height, detections };
  // The detector's image may be a reduction. Whole ones are drawn one after the other, to hold only one.
  const whole = image.original ? await decodeUpload(bytes, limits) : image;
  return { width, height, detections, drawn: await drawDetections(whole, detections, categories) };
}

/**
 * Decodes an uploaded image; of several in one file, the frames of an animation, the first.
 *
 * @throws ApiError when it exceeds the limits, is no image or is damaged; TakesLong as {@link decodeImage}
 */
export async function decodeUpload(
  bytes: Uint8Array,
  limits: Limits,
  options?: Pick<DecodeOptions, 'fit' | 'inThread' | 'short'>,
): Promise<Image> {
  try {
    return await decodeImage(bytes, { ...limits, ...options });
  } catch (cause) {
    if (cause instanceof ImageError) throw refusal(cause.fault, cause.problem);
    throw cause;
  }
}

const refusal = (fault: ImageFault, { expected, received, hint }: Problem): ApiError =>
  new ApiError({ ...REFUSALS[fault], expected, received, hint });

/** Draws objects on their image: a PNG of at most 1280 pixels a side. `categories` are in the order of the classes. */
export function drawDetections(
  image: Image,
  detections: readonly Detection[],
  categories: readonly CocoCategory[],
): Promise<Buffer> {
  const boxes = detections.map(({ box, classIndex, score }) => ({
    box,
    label: `${categories[classIndex].name} ${score.toFixed(2)}`,
    color: classColor(classIndex),
  }));
  return annotate(image, boxes, { format: 'png' });
}
