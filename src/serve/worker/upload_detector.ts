import type { Bundle } from '../../detect/bundle.js';
import type { Detection, Thresholds } from '../../detect/nms.js';
import { type BatchTimes, Detector, type DetectorOptions } from '../../detect/onnx_detector.js';
import { TakesLong } from '../../image/decode.js';
import type { Image } from '../../image/image.js';
import { ApiError, type ErrorBody } from '../api_error.js';
import { decodeUpload, type ImageLimits } from './decode_upload.js';
import { drawDetections } from './draw.js';

/** An image as it came, with what is asked otherwise than the bundle says. */
export interface UploadTask {
  bytes: Uint8Array;
  thresholds?: Partial<Thresholds>;
  /** Whether to answer the image with its objects drawn into it, too. */
  draw?: boolean;
  /** Whether it keeps no other waiting, and may take as long as images are allowed to. */
  alone?: boolean;
}

/** What became of an image. */
export type Outcome =
  /** Pixels of the upright image, its objects in them, best first, and a PNG of them if asked for. */
  | { width: number; height: number; detections: Detection[]; drawn?: Uint8Array }
  /** Why it was not looked at. */
  | { refused: ErrorBody }
  /** It would keep others waiting: it is to come again, alone. */
  | { long: true };

/** What a batch took, milliseconds of each stage. */
export type UploadTimes = BatchTimes & { decode: number };

export interface BatchOutcomes {
  /** Of each image in turn. */
  outcomes: Outcome[];
  times: UploadTimes;
}

/** A detector for images as they come: one that is refused harms no other of its batch. */
export class UploadDetector {
  readonly detector: Detector;
  readonly #limits: ImageLimits;
  readonly #bundle: Bundle;

  private constructor(detector: Detector, limits: ImageLimits, bundle: Bundle) {
    this.detector = detector;
    this.#limits = limits;
    this.#bundle = bundle;
  }

  /** Errors as in {@link Detector.open}. */
  static async open(bundle: Bundle, options: DetectorOptions & ImageLimits): Promise<UploadDetector> {
    return new UploadDetector(await Detector.open(bundle, options), options, bundle);
  }

  async detectBatch(tasks: readonly UploadTask[]): Promise<BatchOutcomes> {
    const start = performance.now();
    const images = await Promise.all(tasks.map((task) => this.#decode(task)));
    const decode = performance.now() - start;
    const decoded = images.flatMap((image, i) =>
      image instanceof Error ? [] : [{ image, thresholds: tasks[i].thresholds }],
    );
    const none = { detections: [], times: { letterbox: 0, inference: 0, post: 0 } };
    const { detections, times } = decoded.length === 0 ? none : await this.detector.detectBatch(decoded);
    const found = detections[Symbol.iterator]();
    const outcomes = images.map((image): Outcome => {
      if (image instanceof TakesLong) return { long: true };
      if (image instanceof ApiError) return { refused: image.body };
      const { width, height } = image.original ?? image;
      return { width, height, detections: found.next().value as Detection[] };
    });
    const drawn: Outcome[] = [];
    // Whole images: one at a time, to hold only one.
    for (const [i, outcome] of outcomes.entries()) drawn.push(await this.#draw(tasks[i], outcome));
    return { outcomes: drawn, times: { decode, ...times } };
  }

  async #decode({ bytes, draw = false, alone = false }: UploadTask): Promise<Image | ApiError | TakesLong> {
    const options = { fit: this.#bundle.preprocess.size, inThread: true, short: !alone };
    try {
      const image = await decodeUpload(bytes, this.#limits, options);
      // Decoding the whole of it and writing its PNG takes as long as many others.
      return draw && !alone && image.original ? new TakesLong() : image;
    } catch (error) {
      if (error instanceof ApiError || error instanceof TakesLong) return error;
      throw error;
    }
  }

  async #draw({ bytes, draw }: UploadTask, outcome: Outcome): Promise<Outcome> {
    if (!draw || !('detections' in outcome)) return outcome;
    // What the model looked at may be a reduction.
    const image = await decodeUpload(bytes, this.#limits);
    return { ...outcome, drawn: await drawDetections(image, outcome.detections, this.#bundle.categories) };
  }
}
