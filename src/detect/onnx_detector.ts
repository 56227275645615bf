import { join } from 'node:path';
import { type InferenceSession, Tensor } from 'onnxruntime-node';
import { UserError } from '../base/errors.js';
import type { Preprocess } from '../config/preprocess.js';
import type { Image } from '../image/image.js';
import { letterbox } from '../image/letterbox.js';
import { type Bundle, readBundled } from './bundle.js';
import type { CocoCategory } from './coco.js';
import type { Detector } from './detector.js';
import { type Detection, decodeBoxes, postprocess, type Thresholds, toOriginal } from './nms.js';
import { openSession, type Provider, type ProviderChoice } from './providers.js';

/**
 * Microseconds an onnxruntime thread spins before it sleeps: longer than the gaps between operators, where sleeping
 * would cost time, but short enough to leave the cores to decoding the next image.
 */
const SPIN_US = '200';

/** How onnxruntime runs a model. */
export interface OnnxOptions {
  /** Threads of onnxruntime; 0 lets it choose. */
  threads?: number;
  /** Execution provider; default `auto`. */
  provider?: ProviderChoice;
}

/** What an ONNX file outside a bundle does not contain. */
export interface OnnxModel {
  preprocess: Preprocess;
  thresholds: Thresholds;
  /** In the order of the model's classes. */
  categories: readonly CocoCategory[];
  /** Whether the graph decodes boxes to input pixels, like ours; Megvii's default export does not. */
  decoded: boolean;
  /** Name for people; default: the path. */
  name?: string;
}

/** Milliseconds of a batch, by stage. */
export interface BatchTimes {
  letterbox: number;
  inference: number;
  post: number;
}

/** An ONNX model run by onnxruntime. */
export class OnnxDetector implements Detector {
  readonly name: string;
  readonly categories: readonly CocoCategory[];
  readonly size: readonly [number, number];
  readonly thresholds: Thresholds;
  /** Most images the graph accepts at once: one, or any number. */
  readonly maxBatch: number;
  /** The provider in use. */
  readonly provider: Provider;
  readonly #path: string;
  readonly #session: InferenceSession;
  readonly #model: OnnxModel;
  #input = new Float32Array();
  #last: Promise<unknown> = Promise.resolve();

  private constructor(path: string, session: InferenceSession, provider: Provider, model: OnnxModel) {
    const [input] = session.inputMetadata;
    this.name = model.name ?? path;
    this.categories = model.categories;
    this.size = model.preprocess.size;
    this.thresholds = model.thresholds;
    this.maxBatch = input.isTensor && typeof input.shape[0] === 'number' ? 1 : Number.POSITIVE_INFINITY;
    this.provider = provider;
    this.#path = path;
    this.#session = session;
    this.#model = model;
  }

  /**
   * Opens the model of a bundle.
   *
   * @throws UserError as {@link OnnxDetector.fromFile}, and if the file has changed since packing
   * @example const detector = await OnnxDetector.open(await readBundle('out/bundle')); const detections = await
   * detector.detect(await decodeImage('street.jpg')); await detector.close();
   */
  static async open(bundle: Bundle, options?: OnnxOptions): Promise<OnnxDetector> {
    const { dir, model, preprocess, thresholds, categories } = bundle;
    const bytes = await readBundled(bundle, model.file);
    const name = `${bundle.name} ${bundle.version}`;
    const description = { preprocess, thresholds, categories, decoded: true, name };
    return OnnxDetector.fromFile(join(dir, model.file), description, options, bytes);
  }

  /**
   * Opens a YOLOX graph with one input [batch,3,H,W] and one output [batch,A,5+C], objectness and classes after the
   * sigmoid.
   *
   * @param bytes of the file, if already read
   * @throws UserError for a file that onnxruntime cannot load, another input size, or an unavailable provider
   */
  static async fromFile(
    path: string,
    model: OnnxModel,
    { provider: choice = 'auto', threads = 0 }: OnnxOptions = {},
    bytes?: Uint8Array,
  ): Promise<OnnxDetector> {
    const { session, provider } = await openSession({ path, bytes }, choice, {
      intraOpNumThreads: threads,
      extra: { session: { intra_op: { spin_duration_us: SPIN_US } } },
      // A memory plan per batch size would keep the memory of all of them.
      enableMemPattern: false,
      // Only errors: warnings about graph optimisation are not for users.
      logSeverityLevel: 3,
    });
    checkInput(path, session, model.preprocess);
    return new OnnxDetector(path, session, provider, model);
  }

  async detect(image: Image, thresholds?: Partial<Thresholds>): Promise<Detection[]> {
    const { detections } = await this.detectBatch([image], [thresholds]);
    return detections[0];
  }

  /**
   * Finds the objects in 1…`maxBatch` images with one run of the model; each result is the same as for the image alone.
   *
   * @param thresholds of each image, if they differ from the model's
   */
  detectBatch(
    images: readonly Image[],
    thresholds: readonly (Partial<Thresholds> | undefined)[] = [],
  ): Promise<{ detections: Detection[][]; times: BatchTimes }> {
    // onnxruntime's run() blocks the thread, so calls run one after another and share one input buffer.
    const found = this.#last.then(() => this.#detectBatch(images, thresholds));
    this.#last = found.catch(() => undefined);
    return found;
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#session.release();
  }

  async #detectBatch(images: readonly Image[], thresholds: readonly (Partial<Thresholds> | undefined)[]) {
    const { preprocess, decoded } = this.#model;
    const start = performance.now();
    const [height, width] = preprocess.size;
    const values = 3 * height * width;
    if (this.#input.length < images.length * values) this.#input = new Float32Array(images.length * values);
    const ratios = images.map((image, i) => letterbox(image, preprocess, 'nchw', this.#input, i * values).ratio);
    const data = this.#input.subarray(0, images.length * values);
    const prepared = performance.now();
    const output = await this.#run(new Tensor('float32', data, [images.length, 3, height, width]));
    const ran = performance.now();
    const [, anchors, columns] = output.dims;
    const classCount = columns - 5;
    const detections = images.map((image, i) => {
      const found = output.data.subarray(i * anchors * columns, (i + 1) * anchors * columns);
      if (!decoded) decodeBoxes(found, preprocess.size, classCount);
      const kept = postprocess(found, { anchors, classCount }, { ...this.thresholds, ...thresholds[i] });
      return toOriginal(kept, ratios[i], image);
    });
    const post = performance.now() - ran;
    return { detections, times: { letterbox: prepared - start, inference: ran - prepared, post } };
  }

  async #run(input: Tensor): Promise<{ data: Float32Array; dims: readonly number[] }> {
    const results = await this.#session.run({ [this.#session.inputNames[0]]: input });
    const { data, dims } = results[this.#session.outputNames[0]];
    if (!(data instanceof Float32Array) || dims.length !== 3) {
      throw new UserError({ where: this.#path, expected: 'a float32 output [batch,A,5+C]', received: dims });
    }
    return { data, dims };
  }
}

/** Fails early if the graph's fixed sizes differ from those of `preprocess`. */
function checkInput(path: string, { inputMetadata }: InferenceSession, { size }: Preprocess): void {
  const [input] = inputMetadata;
  const shape = input.isTensor ? input.shape : [];
  const expected = [1, 3, ...size];
  const fits = (dimension: number | string, i: number) => typeof dimension === 'string' || dimension === expected[i];
  if (shape.length !== 4 || !shape.every(fits)) {
    throw new UserError({ where: path, field: 'input', expected: `shape ${expected.join('×')}`, received: shape });
  }
}
