import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { messageOf, UserError } from '../base/errors.js';
import type { Preprocess } from '../config/preprocess.js';
import { type Detection, decodeBoxes, postprocess, type Thresholds, toPicture } from '../data/detections.js';
import { letterbox } from '../data/letterbox.js';
import type { Picture } from '../data/picture.js';
import { type Bundle, readBundle } from './bundle.js';

export interface DetectorOptions {
  /** Threads of onnxruntime; 0 lets it choose. */
  threads?: number;
}

/** How an ONNX file outside a bundle is to be used. */
export interface OnnxOptions extends DetectorOptions {
  preprocess: Preprocess;
  thresholds: Thresholds;
  /** Whether the graph decodes its boxes to input pixels, as ours do; Megvii's default export does not. */
  decoded: boolean;
}

/** An ONNX model that finds objects in pictures. */
export class Detector {
  readonly #path: string;
  readonly #session: InferenceSession;
  readonly #options: OnnxOptions;
  readonly #input: Float32Array;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(path: string, session: InferenceSession, options: OnnxOptions) {
    this.#path = path;
    this.#session = session;
    this.#options = options;
    const [height, width] = options.preprocess.size;
    this.#input = new Float32Array(3 * height * width);
  }

  /** Opens a bundle, given by its folder or already read. */
  static async open(bundle: string | Bundle, options: DetectorOptions = {}): Promise<Detector> {
    const { dir, model, preprocess, thresholds } = typeof bundle === 'string' ? await readBundle(bundle) : bundle;
    return Detector.fromOnnx(join(dir, model.file), { ...options, preprocess, thresholds, decoded: true });
  }

  /**
   * Opens a YOLOX graph with one input [batch,3,H,W] and one output [batch,A,5+C], obj and cls after the sigmoid.
   * @throws UserError for a file onnxruntime cannot load, or of another input size.
   */
  static async fromOnnx(path: string, options: OnnxOptions): Promise<Detector> {
    const session = await InferenceSession.create(path, {
      intraOpNumThreads: options.threads ?? 0,
      // Errors only: what onnxruntime warns of when it optimises a graph is not for the user.
      logSeverityLevel: 3,
    }).catch((cause: unknown) => {
      throw new UserError({ where: path, expected: 'an ONNX model', received: messageOf(cause) }, { cause });
    });
    checkInput(path, session, options.preprocess);
    return new Detector(path, session, options);
  }

  /** Objects in a picture, in its own pixels, best first. */
  detect(picture: Picture, thresholds: Partial<Thresholds> = {}): Promise<Detection[]> {
    // onnxruntime's run() holds the thread until it is done, so calls take turns and share one input buffer.
    const found = this.#last.then(() => this.#detect(picture, { ...this.#options.thresholds, ...thresholds }));
    this.#last = found.catch(() => undefined);
    return found;
  }

  /** Runs once, so that the first picture finds memory allocated and code compiled. */
  async warmUp(): Promise<void> {
    const [height, width] = this.#options.preprocess.size;
    await this.detect({ width, height, data: new Uint8Array(3 * height * width) });
  }

  /** Frees the model, after the pictures in hand. */
  async close(): Promise<void> {
    await this.#last;
    await this.#session.release();
  }

  async #detect(picture: Picture, thresholds: Thresholds): Promise<Detection[]> {
    const { preprocess, decoded } = this.#options;
    const { ratio } = letterbox(picture, preprocess, 'nchw', this.#input);
    const input = new Tensor('float32', this.#input, [1, 3, ...preprocess.size]);
    const results = await this.#session.run({ [this.#session.inputNames[0]]: input });
    const { data, dims } = results[this.#session.outputNames[0]];
    if (!(data instanceof Float32Array) || dims.length !== 3) {
      throw new UserError({ where: this.#path, expected: 'a float32 output [batch,A,5+C]', received: dims });
    }
    const [, anchors, values] = dims;
    const classes = values - 5;
    if (!decoded) decodeBoxes(data, preprocess.size, classes);
    return toPicture(postprocess(data, { ...thresholds, anchors, classes }), ratio, picture);
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
