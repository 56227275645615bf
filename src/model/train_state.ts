import { type Architecture, anchorGrid } from '../config/network.js';
import type { TrainConfig } from '../config/schema.js';
import { initialMoments, optimizerStep } from '../kernels/optimizer_step/index.js';
import { type AssignerName, simOtaAssign } from '../kernels/sim_ota_assign/index.js';
import { type Tensor, tf, upload } from '../kernels/tf.js';
import { type Losses, readLosses, yoloxLoss } from '../kernels/yolox_loss/index.js';
import { joinLevels, splitLevels } from './head.js';
import { toTensors } from './layout.js';
import { yolox } from './network.js';
import { ParameterGroup } from './parameter_group.js';
import { isTrainable, parameters } from './parameters.js';
import { TfLayers } from './tf_layers.js';
import type { Weights, WeightTensor } from './weights/weights.js';

/** Weight of a batch in the running statistics (yolox/exp/yolox_base.py, init_yolo). */
const BATCH_NORM_MOMENTUM = 0.03;

export interface TrainOptions {
  optimizer: TrainConfig['optimizer'];
  ema: TrainConfig['ema'];
  freeze: TrainConfig['freeze'];
  /** Normalise with the stored statistics and do not update them. */
  fixedBatchNorm: boolean;
  assigner: AssignerName;
}

export interface StepResult {
  losses: Losses;
  /** Anchors matched to objects in the batch. */
  numFg: number;
  /** False if a gradient was infinite or NaN; the parameters are then unchanged. */
  applied: boolean;
}

/** Everything a run needs to continue exactly where it stopped. */
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
  /** Running statistics of the batch norms that are not frozen. */
  readonly #statistics?: ParameterGroup;
  /** Parameters that do not change. */
  readonly #constants: Weights;
  readonly #constantTensors: Map<string, Tensor>;
  /** Whether weight decay applies, by learnt parameter. */
  readonly #decayed: boolean[];
  #moments: Tensor[];
  #step: number;

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
    this.#decayed = learnt.map(({ kind }) => kind === 'weight');
    this.#moments =
      moments.length === 0
        ? initialMoments(options.optimizer.name, this.#learnt.vector.size)
        : moments.map((moment) => this.#learnt.pack(moment));
    this.#step = moments.length === 0 ? 0 : step;
  }

  /** Updates made so far. */
  get step(): number {
    return this.#step;
  }

  /**
   * One update on a batch.
   * @param images [N,H,W,3] preprocessed; @param labels [N,M,5] class, cx, cy, w, h in input pixels, zeros are none
   */
  update(images: Tensor, labels: Float32Array, lr: number, useL1: boolean): StepResult {
    const { assigner, fixedBatchNorm, ema } = this.#options;
    const [batch, height, width] = images.shape;
    // Upload before the network is queued.
    const objects = upload(tf.tensor3d(labels, [batch, labels.length / 5 / batch, 5]));
    const tensors = this.#tensors();
    const layers = new TfLayers(tensors, { record: true, fixedBatchNorm, isFrozen: (name) => this.#isFrozen(name) });
    const levels = yolox(layers, { value: images, needsGrad: false }, this.architecture);
    const raw = joinLevels(levels);
    const anchors = anchorGrid(height as number, width as number);
    const { classes } = this.architecture;
    const assignment = simOtaAssign(raw, objects, anchors, assigner);
    const { losses, grad } = yoloxLoss(raw, objects, assignment, anchors, { classes, useL1 });
    raw.dispose();
    layers.backward(splitLevels(grad, levels));

    this.#step++;
    const averageDecay = ema.decay * (1 - Math.exp(-this.#step / ema.ramp));
    const applied = this.#learn(layers.gradients, lr, averageDecay);
    this.#statistics?.follow(layers.statistics, 1 - BATCH_NORM_MOMENTUM);
    if (ema.enabled) this.#statistics?.updateAverage(averageDecay);
    // The only wait for the device, after the whole step has been queued.
    const result = {
      losses: readLosses(losses),
      numFg: assignment.numFg.dataSync()[0],
      applied: applied.dataSync()[0] === 1,
    };
    tf.dispose([objects, losses, assignment, applied]);
    return result;
  }

  /** The weights to use: the moving average, if enabled. */
  averaged(): Weights {
    return this.#collect((group) => (this.#options.ema.enabled ? group.average : group.vector));
  }

  snapshot(): TrainSnapshot {
    return {
      step: this.step,
      weights: this.#collect((group) => group.vector),
      average: this.#collect((group) => group.average),
      moments: this.#moments.map((moment) => this.#learnt.unpack(moment)),
    };
  }

  dispose(): void {
    for (const group of this.#groups()) group.dispose();
    tf.dispose([...this.#moments, ...this.#constantTensors.values()]);
  }

  #groups(): ParameterGroup[] {
    return this.#statistics ? [this.#learnt, this.#statistics] : [this.#learnt];
  }

  #tensors(): Map<string, Tensor> {
    return new Map([...this.#constantTensors, ...this.#groups().flatMap((group) => group.entries())]);
  }

  /** Whether a layer, or the layer of a parameter, is frozen. */
  #isFrozen(name: string): boolean {
    return this.#options.freeze === 'backbone' && name.startsWith('backbone.backbone.');
  }

  /** Returns the flag of `optimizerStep`. */
  #learn(gradients: ReadonlyMap<string, Tensor>, lr: number, averageDecay: number): Tensor {
    const { ema, optimizer } = this.#options;
    const { vector: parameters, average } = this.#learnt;
    const { next, applied } = optimizerStep(
      { parameters, moments: this.#moments, average: ema.enabled ? average : undefined },
      this.#learnt.inOrder(gradients),
      this.#decayed,
      { step: this.#step, lr, averageDecay },
      optimizer,
    );
    tf.dispose([...gradients.values()]);
    this.#moments = next.moments;
    this.#learnt.update(next.parameters, next.average);
    return applied;
  }

  #collect(choose: (group: ParameterGroup) => Tensor): Weights {
    return new Map([...this.#constants, ...this.#groups().flatMap((group) => [...group.unpack(choose(group))])]);
  }
}
