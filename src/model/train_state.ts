import type { TrainConfig } from '../config/schema.js';
import { flatten, initialState, type OptimizerState, optimizerStep } from '../kernels/optimizer_step/index.js';
import { type AssignerName, simOtaAssign } from '../kernels/sim_ota_assign/index.js';
import { type Tensor, tf } from '../kernels/tf.js';
import { type Losses, yoloxLoss } from '../kernels/yolox_loss/index.js';
import { joinLevels, splitLevels } from './head.js';
import { anchorsOf } from './inference.js';
import { toTensors } from './layout.js';
import { type Architecture, yolox } from './network.js';
import { ParameterGroup } from './parameter_group.js';
import { isTrainable, type Parameter, parameters } from './parameters.js';
import { TfLayers } from './tf_layers.js';
import { elements, type Weights, type WeightTensor } from './weights/weights.js';

/** Weight of a batch in the running statistics (yolox/exp/yolox_base.py, init_yolo). */
const BATCH_NORM_MOMENTUM = 0.03;

export interface TrainOptions {
  optimizer: TrainConfig['optimizer'];
  ema: TrainConfig['ema'];
  freeze: TrainConfig['freeze'];
  /** Normalise with the stored statistics and leave them alone. */
  fixedBatchNorm: boolean;
  assigner: AssignerName;
}

export interface StepResult {
  losses: Losses;
  /** Anchors matched to objects in the batch. */
  numFg: number;
}

/** Everything a run needs to go on exactly where it was. */
export interface TrainSnapshot {
  step: number;
  weights: Weights;
  average: Weights;
  /** Optimiser moments by parameter. */
  moments: Weights[];
}

/** A network in training: parameters, their moving average, and the optimiser's state, all on the device. */
export class TrainState {
  readonly architecture: Architecture;
  readonly #options: TrainOptions;
  readonly #learnt: ParameterGroup;
  /** Running statistics of the batch norms that follow the data. */
  readonly #statistics?: ParameterGroup;
  /** Parameters that stay as they came. */
  readonly #constants: Weights;
  readonly #constantTensors: Map<string, Tensor>;
  /** [P] like the learnt parameters: 1 where weight decay applies. */
  readonly #decayed: Tensor;
  #optimizer: OptimizerState;

  constructor(start: Weights | TrainSnapshot, architecture: Architecture, options: TrainOptions) {
    this.architecture = architecture;
    this.#options = options;
    const { weights, average, step, moments } =
      start instanceof Map ? { weights: start, average: start, step: 0, moments: [] } : start;
    const all = parameters(architecture);
    const active = all.filter(({ name }) => !this.#isFrozen(name));
    const learnt = active.filter(isTrainable);
    const statistics = options.fixedBatchNorm ? [] : active.filter((parameter) => !isTrainable(parameter));
    const constant = all.filter((parameter) => !learnt.includes(parameter) && !statistics.includes(parameter));

    this.#learnt = new ParameterGroup(learnt, weights, average);
    if (statistics.length > 0) this.#statistics = new ParameterGroup(statistics, weights, average);
    this.#constants = new Map(constant.map(({ name }) => [name, weights.get(name) as WeightTensor]));
    this.#constantTensors = toTensors(weights, constant);
    this.#decayed = this.#learnt.pack(new Map(learnt.map((parameter) => [parameter.name, decayMask(parameter)])));
    this.#optimizer =
      moments.length === 0
        ? initialState(options.optimizer.name, this.#decayed.size)
        : { step, moments: moments.map((moment) => this.#learnt.pack(moment)) };
  }

  /** Updates made so far. */
  get step(): number {
    return this.#optimizer.step;
  }

  /**
   * One update on a batch.
   * @param images [N,H,W,3] preprocessed; @param labels [N,M,5] class, cx, cy, w, h in input pixels, zeros are none
   */
  update(images: Tensor, labels: Float32Array, lr: number, useL1: boolean): StepResult {
    const { assigner, fixedBatchNorm, ema, optimizer } = this.#options;
    const tensors = this.#tensors();
    const layers = new TfLayers(tensors, { record: true, fixedBatchNorm, isFrozen: (name) => this.#isFrozen(name) });
    const levels = yolox(layers, { value: images, needsGrad: false }, this.architecture);
    const raw = joinLevels(levels);
    const [batch, height, width] = images.shape;
    const anchors = anchorsOf(height as number, width as number);
    const { classes } = this.architecture;
    const assignment = simOtaAssign(raw.dataSync() as Float32Array, labels, batch, classes, anchors, assigner);
    const { losses, grad } = yoloxLoss(raw, labels, assignment, anchors, { classes, useL1 });
    raw.dispose();
    layers.backward(splitLevels(grad, levels));

    const gradient = takeInOrder(layers.gradients, this.#learnt);
    const next = optimizerStep(this.#learnt.vector, gradient, this.#decayed, this.#optimizer, lr, optimizer);
    gradient.dispose();
    this.#optimizer = next.state;
    this.#learnt.update(next.parameters);
    this.#updateStatistics(layers.statistics);
    if (ema.enabled) {
      const decay = ema.decay * (1 - Math.exp(-this.step / ema.ramp));
      for (const group of this.#groups()) group.updateAverage(decay);
    }
    return { losses, numFg: assignment.numFg };
  }

  /** The weights to use: the moving average where it is on. */
  averaged(): Weights {
    return this.#collect((group) => (this.#options.ema.enabled ? group.average : group.vector));
  }

  snapshot(): TrainSnapshot {
    return {
      step: this.step,
      weights: this.#collect((group) => group.vector),
      average: this.#collect((group) => group.average),
      moments: this.#optimizer.moments.map((moment) => this.#learnt.unpack(moment)),
    };
  }

  dispose(): void {
    for (const group of this.#groups()) group.dispose();
    tf.dispose([this.#decayed, ...this.#optimizer.moments, ...this.#constantTensors.values()]);
  }

  #groups(): ParameterGroup[] {
    return this.#statistics ? [this.#learnt, this.#statistics] : [this.#learnt];
  }

  #tensors(): Map<string, Tensor> {
    return new Map([...this.#constantTensors, ...this.#groups().flatMap((group) => group.entries())]);
  }

  /** Whether a layer, or the layer of a parameter, doesn't learn. */
  #isFrozen(name: string): boolean {
    return this.#options.freeze === 'backbone' && name.startsWith('backbone.backbone.');
  }

  #updateStatistics(batch: ReadonlyMap<string, Tensor>): void {
    const group = this.#statistics;
    if (!group) return;
    const current = takeInOrder(batch, group);
    const old = group.vector;
    const next = tf.tidy(() => old.mul(1 - BATCH_NORM_MOMENTUM).add(current.mul(BATCH_NORM_MOMENTUM)));
    tf.dispose([current, old]);
    group.update(next);
  }

  #collect(choose: (group: ParameterGroup) => Tensor): Weights {
    return new Map([...this.#constants, ...this.#groups().flatMap((group) => [...group.unpack(choose(group))])]);
  }
}

/** Tensors by name as one vector in the order of a group. Disposes of them. */
function takeInOrder(tensors: ReadonlyMap<string, Tensor>, group: ParameterGroup): Tensor {
  const vector = flatten(group.parameters.map(({ name }) => tensors.get(name) as Tensor));
  tf.dispose([...tensors.values()]);
  return vector;
}

const decayMask = ({ shape, kind }: Parameter): WeightTensor => ({
  shape,
  data: new Float32Array(elements(shape)).fill(kind === 'weight' ? 1 : 0),
});
