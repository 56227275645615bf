import { UserError } from '../base/errors.js';
import { type Anchors, type Architecture, anchorGrid } from '../config/network.js';
import { activate, type DecodedDetections, type DecodeNmsOptions, decodeNms } from '../kernels/decode_nms/index.js';
import { type Tensor, tf } from '../kernels/tf.js';
import { joinLevels } from './head.js';
import { toTensors } from './layout.js';
import { yolox } from './network.js';
import { parameters } from './parameters.js';
import { TfLayers } from './tf_layers.js';
import type { Weights } from './weights/weights.js';

/** Raw head outputs [N,A,5+C] of images [N,H,W,3] with the stored batch-norm statistics; the caller owns them. */
export function forward(tensors: ReadonlyMap<string, Tensor>, architecture: Architecture, images: Tensor): Tensor {
  const layers = new TfLayers(tensors, { record: false });
  const levels = yolox(layers, { value: images, needsGrad: false }, architecture);
  const raw = joinLevels(levels);
  layers.release();
  return raw;
}

/** A network ready to predict on TensorFlow. */
export class Model {
  readonly architecture: Architecture;
  readonly #tensors: Map<string, Tensor>;
  readonly #where?: string;

  /** @param where name of the weights in errors */
  constructor(weights: Weights, architecture: Architecture, where?: string) {
    this.architecture = architecture;
    this.#where = where;
    this.#tensors = toTensors(weights, parameters(architecture));
  }

  /**
   * Finds the objects in each of the preprocessed images [N,H,W,3], in input pixels.
   * @throws UserError for infinite or NaN outputs, which would never pass a threshold
   */
  detect(images: Tensor, options: DecodeNmsOptions): DecodedDetections[] {
    const { raw, anchors } = this.#forward(images);
    const found = decodeNms(raw, anchors, options);
    raw.dispose();
    return found;
  }

  /**
   * Preprocessed images [N,H,W,3] → boxes cx, cy, w, h in input pixels, objectness, class probabilities [N,A,5+C];
   * `shape` is [n, height, width].
   * @throws UserError for infinite or NaN outputs
   */
  predict(images: Float32Array, [n, height, width]: [number, number, number]): Float32Array {
    const input = tf.tensor4d(images, [n, height, width, 3]);
    try {
      const { raw, anchors } = this.#forward(input);
      const output = activate(raw, anchors);
      const values = output.dataSync() as Float32Array;
      tf.dispose([raw, output]);
      return values;
    } finally {
      input.dispose();
    }
  }

  #forward(images: Tensor): { raw: Tensor; anchors: Anchors } {
    const [, height, width] = images.shape;
    const raw = forward(this.#tensors, this.architecture, images);
    if (!allFinite(raw)) {
      raw.dispose();
      throw new UserError({
        where: this.#where,
        expected: 'finite outputs of the network',
        received: 'infinity or NaN',
        hint: 'The weights are damaged, or training has diverged: lower train.optimizer.lr.',
      });
    }
    return { raw, anchors: anchorGrid(height as number, width as number) };
  }

  dispose(): void {
    tf.dispose([...this.#tensors.values()]);
  }
}

function allFinite(x: Tensor): boolean {
  return tf.tidy(() => tf.all(tf.isFinite(x)).dataSync()[0] === 1);
}
