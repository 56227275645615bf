import { type BatchNormParameters, batchNormSilu, batchNormSiluGrad } from '../kernels/batch_norm_silu/index.js';
import { concat, concatGrad } from '../kernels/concat/index.js';
import { conv2d, conv2dBatchNormSilu, conv2dFilterGrad, conv2dInputGrad } from '../kernels/conv2d/index.js';
import { focus } from '../kernels/focus/index.js';
import { spp, sppGrad } from '../kernels/spp/index.js';
import { type Tensor, tf } from '../kernels/tf.js';
import { upsampleConcat, upsampleConcatGrad } from '../kernels/upsample_concat/index.js';
import type { ConvShape, Layers } from './network.js';

/** A value [N,H,W,C] of the forward pass and its accumulated gradient. */
export interface Node {
  value: Tensor;
  grad?: Tensor;
  needsGrad: boolean;
}

export interface TfLayersOptions {
  /** Whether to keep what the backward pass needs; false for inference. */
  record: boolean;
  /** Whether a parameter is frozen: no gradient, stored batch-norm statistics. */
  isFrozen?: (name: string) => boolean;
  /** Normalise with the stored statistics everywhere. */
  fixedBatchNorm?: boolean;
}

/** One recorded step of the forward pass. */
interface Step {
  output: Node;
  saved: Tensor[];
  backward?: (dy: Tensor) => void;
}

/**
 * The network on TensorFlow, forward and backward. We do not use tfjs' tape, which keeps every activation and gradient
 * to the end of the step; here both are freed as soon as the backward pass is done with them.
 */
export class TfLayers implements Layers<Node> {
  /** d loss / d parameter by name, in TensorFlow's layout; owned by the caller after `backward`. */
  readonly gradients = new Map<string, Tensor>();
  /** Batch statistics by parameter name (`….bn.running_mean`), owned by the caller. */
  readonly statistics = new Map<string, Tensor>();
  readonly #parameters: ReadonlyMap<string, Tensor>;
  readonly #options: TfLayersOptions;
  readonly #steps: Step[] = [];

  /** `parameters`: by Megvii name; convolution filters as [h,w,in,out], depthwise ones as [h,w,channels,1]. */
  constructor(parameters: ReadonlyMap<string, Tensor>, options: TfLayersOptions) {
    this.#parameters = parameters;
    this.#options = options;
  }

  focus(x: Node): Node {
    return this.#push(focus(x.value), false);
  }

  convBnSilu(x: Node, name: string, shape: ConvShape): Node {
    const bn = `${name}.bn`;
    const parameters: BatchNormParameters = {
      gamma: this.#get(`${bn}.weight`),
      beta: this.#get(`${bn}.bias`),
      mean: this.#get(`${bn}.running_mean`),
      variance: this.#get(`${bn}.running_var`),
    };
    const frozen = this.#isFrozen(name);
    if (frozen && !x.needsGrad) {
      const filter = this.#get(`${name}.conv.weight`);
      return this.#push(conv2dBatchNormSilu(x.value, filter, parameters, optionsOf(shape)), false);
    }
    const convolved = this.#convolve(x, `${name}.conv.weight`, shape);
    const training = !frozen && !this.#options.fixedBatchNorm;
    const { y, batch, saved } = batchNormSilu(convolved.value, parameters, training);
    if (batch) {
      this.statistics.set(`${bn}.running_mean`, batch.mean);
      this.statistics.set(`${bn}.running_var`, batch.variance);
    }
    const needsGrad = convolved.needsGrad || !frozen;
    if (!needsGrad) convolved.value.dispose();
    return this.#push(y, needsGrad, saved, (dy) => {
      const { dx, dgamma, dbeta } = batchNormSiluGrad(dy, convolved.value, parameters, saved, training);
      this.#accumulate(convolved, dx);
      this.#learn(`${bn}.weight`, dgamma);
      this.#learn(`${bn}.bias`, dbeta);
    });
  }

  conv(x: Node, name: string, shape: ConvShape): Node {
    return this.#convolve(x, `${name}.weight`, shape, `${name}.bias`);
  }

  concat(xs: readonly Node[]): Node {
    const sizes = xs.map((x) => x.value.shape[3] as number);
    const needsGrad = xs.some((x) => x.needsGrad);
    return this.#push(concat(xs.map((x) => x.value)), needsGrad, [], (dy) => {
      for (const [i, part] of concatGrad(dy, sizes).entries()) this.#accumulate(xs[i], part);
    });
  }

  add(a: Node, b: Node): Node {
    return this.#push(tf.add(a.value, b.value), a.needsGrad || b.needsGrad, [], (dy) => {
      this.#accumulate(a, dy.clone());
      this.#accumulate(b, dy.clone());
    });
  }

  spp(x: Node): Node {
    const { y, saved } = spp(x.value);
    return this.#push(y, x.needsGrad, saved, (dy) => this.#accumulate(x, sppGrad(dy, x.value, saved)));
  }

  upsampleConcat(coarse: Node, fine: Node): Node {
    const y = upsampleConcat(coarse.value, fine.value);
    return this.#push(y, coarse.needsGrad || fine.needsGrad, [], (dy) => {
      const { dcoarse, dfine } = upsampleConcatGrad(dy, coarse.value.shape[3] as number);
      this.#accumulate(coarse, dcoarse);
      this.#accumulate(fine, dfine);
    });
  }

  /**
   * Runs the backward pass from the outputs, takes ownership of their gradients, and frees everything the forward pass
   * kept.
   */
  backward(outputs: readonly { node: Node; grad: Tensor }[]): void {
    for (const { node, grad } of outputs) this.#accumulate(node, grad);
    this.release();
  }

  /** Frees the values of the forward pass, propagating any gradients. */
  release(): void {
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      const { output, saved, backward } = step;
      if (output.grad) backward?.(output.grad);
      tf.dispose([output.value, ...saved, ...(output.grad ? [output.grad] : [])]);
    }
  }

  #convolve(x: Node, name: string, shape: ConvShape, biasName?: string): Node {
    const filter = this.#get(name);
    const options = optionsOf(shape);
    const frozen = this.#isFrozen(name);
    const value = conv2d(x.value, filter, options, biasName === undefined ? undefined : this.#get(biasName));
    return this.#push(value, x.needsGrad || !frozen, [], (dy) => {
      if (!frozen) {
        const { dfilter, dbias } = conv2dFilterGrad(x.value, filter, dy, options, biasName !== undefined);
        this.#learn(name, dfilter);
        if (biasName !== undefined && dbias) this.#learn(biasName, dbias);
      }
      if (x.needsGrad) this.#accumulate(x, conv2dInputGrad(x.value.shape, filter, dy, options));
    });
  }

  #push(value: Tensor, needsGrad: boolean, saved: Tensor[] = [], backward?: (dy: Tensor) => void): Node {
    const output: Node = { value, needsGrad: needsGrad && this.#options.record };
    if (!output.needsGrad) tf.dispose(saved);
    this.#steps.push(output.needsGrad ? { output, saved, backward } : { output, saved: [] });
    return output;
  }

  #accumulate(node: Node, grad: Tensor): void {
    if (!node.needsGrad) {
      grad.dispose();
    } else if (node.grad) {
      const sum = tf.add(node.grad, grad);
      tf.dispose([node.grad, grad]);
      node.grad = sum;
    } else {
      node.grad = grad;
    }
  }

  #learn(name: string, grad: Tensor): void {
    if (this.#isFrozen(name)) grad.dispose();
    else this.gradients.set(name, grad);
  }

  #get(name: string): Tensor {
    return this.#parameters.get(name) as Tensor;
  }

  #isFrozen(name: string): boolean {
    return !this.#options.record || (this.#options.isFrozen?.(name) ?? false);
  }
}

const optionsOf = ({ in: channels, stride = 1, groups = 1 }: ConvShape) => ({
  stride,
  depthwise: groups === channels && groups > 1,
});
