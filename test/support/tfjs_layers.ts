import { BATCH_NORM_EPSILON, SPP_KERNELS } from '../../src/config/network.js';
import { type Tensor, type Tensor4D, tf } from '../../src/kernels/tf.js';
import type { ConvShape, Layers } from '../../src/model/network.js';

/** The network in plain tfjs ops, for tfjs to differentiate: a peer of benchmarks, an oracle of tests. */
export class TfjsLayers implements Layers<Tensor4D> {
  constructor(readonly parameters: ReadonlyMap<string, Tensor>) {}

  focus(x: Tensor4D): Tensor4D {
    const [n, h, w, c] = x.shape;
    const patch = (row: number, column: number) =>
      x.stridedSlice([0, row, column, 0], [n, h, w, c], [1, 2, 2, 1]) as Tensor4D;
    return tf.concat([patch(0, 0), patch(1, 0), patch(0, 1), patch(1, 1)], 3);
  }
  convBnSilu(
    x: Tensor4D,
    name: string,
    { kernel, stride = 1, groups = 1 }: { kernel: number; stride?: number; groups?: number },
  ): Tensor4D {
    const y = this.#convolve(x, `${name}.conv.weight`, kernel, stride, groups > 1);
    const { mean, variance } = tf.moments(y, [0, 1, 2]);
    const z = y
      .sub(mean)
      .div(variance.add(BATCH_NORM_EPSILON).sqrt())
      .mul(this.#get(`${name}.bn.weight`))
      .add(this.#get(`${name}.bn.bias`));
    return z.mul(z.sigmoid());
  }
  conv(x: Tensor4D, name: string, { kernel }: ConvShape): Tensor4D {
    return this.#convolve(x, `${name}.weight`, kernel, 1, false).add(this.#get(`${name}.bias`));
  }
  concat = (xs: readonly Tensor4D[]): Tensor4D => tf.concat([...xs], 3);
  add = (a: Tensor4D, b: Tensor4D): Tensor4D => a.add(b);
  spp = (x: Tensor4D): Tensor4D =>
    this.concat([x, ...SPP_KERNELS.map((kernel) => tf.maxPool(x, kernel, 1, 'same') as Tensor4D)]);
  upsampleConcat(coarse: Tensor4D, fine: Tensor4D): Tensor4D {
    const [, h, w] = coarse.shape;
    return this.concat([tf.image.resizeNearestNeighbor(coarse, [2 * h, 2 * w]), fine]);
  }

  #convolve(x: Tensor4D, name: string, kernel: number, stride: number, depthwise: boolean): Tensor4D {
    const p = (kernel - 1) / 2;
    const padded = tf.pad(x, [
      [0, 0],
      [p, p],
      [p, p],
      [0, 0],
    ]);
    const filter = this.#get(name) as Tensor4D;
    return depthwise ? tf.depthwiseConv2d(padded, filter, stride, 'valid') : tf.conv2d(padded, filter, stride, 'valid');
  }
  #get(name: string): Tensor {
    return this.parameters.get(name) as Tensor;
  }
}
