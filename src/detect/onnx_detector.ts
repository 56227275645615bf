import { join } from 'node:path';
import { type InferenceSession, Tensor } from 'onnxruntime-node';
import { UserError } from '../base/errors.js';
import type { Preprocess } from '../config/preprocess.js';
import type { Image } from '../image/image.js';
import { letterbox } from '../image/letterbox.js';
import { type Bundle, readBundled } from './bundle.js';
import { type Detection, decodeBoxes, postprocess, type Thresholds, toOriginal } from './nms.js';
import { openSession, type Provider, type ProviderChoice } from './providers.js';

/**
 * How long a thread of onnxruntime looks for work before it sleeps: longer than the gaps between the operators of an
 * image, which sleeping would cost time and cycles in, and short enough to leave the cores to whoever decodes the next.
 */
const SPIN_US = '200';

export interface DetectorOptions {
  /** Threads of onnxruntime; 0 lets it choose. */
  threads?: number;
  /** What to run on; `auto` when absent. */
  provider?: ProviderChoice;
}

/** How an ONNX file outside a bundle is to be used. */
export interface OnnxOptions extends DetectorOptions {
  preprocess: Preprocess;
  thresholds: Thresholds;
  /** Whether the graph decodes its boxes to input pixels, as ours do; Megvii's default export does not. */
  decoded: boolean;
}

/** An image to look at, with what is asked otherwise than the bundle says. */
export interface DetectorTask {
  image: Image;
  thresholds?: Partial<Thresholds>;
}

/** What a batch took, milliseconds of each stage. */
export interface BatchTimes {
  letterbox: number;
  inference: number;
  post: number;
}

export interface BatchDetections {
  /** Of each image in turn: its objects in its own pixels, best first. */
  detections: Detection[][];
  times: BatchTimes;
}

/** An ONNX model that finds objects in images. */
export class Detector {
  /** Images the graph takes at once: one, or any number. */
  readonly maxBatch: number;
  /** What it runs on. */
  readonly provider: Provider;
  readonly #path: string;
  readonly #session: InferenceSession;
  readonly #options: OnnxOptions;
  #input = new Float32Array();
  #last: Promise<unknown> = Promise.resolve();

  private constructor(path: string, session: InferenceSession, provider: Provider, options: OnnxOptions) {
    const [input] = session.inputMetadata;
    this.maxBatch = input.isTensor && typeof input.shape[0] === 'number' ? 1 : Number.POSITIVE_INFINITY;
    this.provider = provider;
    this.#path = path;
    this.#session = session;
    this.#options = options;
  }

  /**
   * Opens the model of a bundle.
   * @throws UserError as {@link Detector.fromOnnx}, and when the file is not what was packed
   */
  static async open(bundle: Bundle, options: DetectorOptions = {}): Promise<Detector> {
    const { dir, model, preprocess, thresholds } = bundle;
    const bytes = await readBundled(bundle, model.file);
    return Detector.fromOnnx(join(dir, model.file), { ...options, preprocess, thresholds, decoded: true }, bytes);
  }

  /**
   * Opens a YOLOX graph with one input [batch,3,H,W] and one output [batch,A,5+C], obj and cls after the sigmoid.
   * @param bytes of the file, where it was read already
   * @throws UserError for a file onnxruntime cannot load or of another input size, or a provider that is not there.
   */
  static async fromOnnx(path: string, options: OnnxOptions, bytes?: Uint8Array): Promise<Detector> {
    const { session, provider } = await openSession({ path, bytes }, options.provider ?? 'auto', {
      intraOpNumThreads: options.threads ?? 0,
      extra: { session: { intra_op: { spin_duration_us: SPIN_US } } },
      // A plan of its memory for every size of batch would keep all of it.
      enableMemPattern: false,
      // Errors only: what onnxruntime warns of when it optimises a graph is not for the user.
      logSeverityLevel: 3,
    });
    checkInput(path, session, options.preprocess);
    return new Detector(path, session, provider, options);
  }

  /** Objects in an image, in its own pixels, best first. */
  async detect(image: Image, thresholds?: Partial<Thresholds>): Promise<Detection[]> {
    const { detections } = await this.detectBatch([{ image, thresholds }]);
    return detections[0];
  }

  /** Objects in 1…`maxBatch` images, by one run of the model; each is answered as it would be alone. */
  detectBatch(tasks: readonly DetectorTask[]): Promise<BatchDetections> {
    // onnxruntime's run() holds the thread until it is done, so calls take turns and share one input buffer.
    const found = this.#last.then(() => this.#detectBatch(tasks));
    this.#last = found.catch(() => undefined);
    return found;
  }

  /** Frees the model, after the images in hand. */
  async close(): Promise<void> {
    await this.#last;
    await this.#session.release();
  }

  async #detectBatch(tasks: readonly DetectorTask[]): Promise<BatchDetections> {
    const { preprocess, decoded, thresholds } = this.#options;
    const start = performance.now();
    const [height, width] = preprocess.size;
    const values = 3 * height * width;
    if (this.#input.length < tasks.length * values) this.#input = new Float32Array(tasks.length * values);
    const ratios = tasks.map(({ image }, i) => letterbox(image, preprocess, 'nchw', this.#input, i * values).ratio);
    const data = this.#input.subarray(0, tasks.length * values);
    const prepared = performance.now();
    const output = await this.#run(new Tensor('float32', data, [tasks.length, 3, height, width]));
    const ran = performance.now();
    const [, anchors, columns] = output.dims;
    const classCount = columns - 5;
    const detections = tasks.map((task, i) => {
      const found = output.data.subarray(i * anchors * columns, (i + 1) * anchors * columns);
      if (!decoded) decodeBoxes(found, preprocess.size, classCount);
      const kept = postprocess(found, { anchors, classCount }, { ...thresholds, ...task.thresholds });
      return toOriginal(kept, ratios[i], task.image);
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

/** Fails early when the graph's fixed sizes are not those of `preprocess`. */
function checkInput(path: string, { inputMetadata }: InferenceSession, { size }: Preprocess): void {
  const [input] = inputMetadata;
  const shape = input.isTensor ? input.shape : [];
  const expected = [1, 3, ...size];
  const fits = (dimension: number | string, i: number) => typeof dimension === 'string' || dimension === expected[i];
  if (shape.length !== 4 || !shape.every(fits)) {
    throw new UserError({ where: path, field: 'input', expected: `shape ${expected.join('×')}`, received: shape });
  }
}
