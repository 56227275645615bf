import { averageStep, flatten, unflatten } from '../kernels/optimizer_step/index.js';
import { type Tensor, tf } from '../kernels/tf.js';
import { tfShape, toTensor, toTorch } from './layout.js';
import type { Parameter } from './parameters.js';
import type { Weights, WeightTensor } from './weights/weights.js';

/** Parameters stored as one flat vector with its moving average, and accessible as tensors by name. */
export class ParameterGroup {
  readonly parameters: readonly Parameter[];
  #vector: Tensor;
  #average: Tensor;
  #tensors: Tensor[];

  constructor(parameters: readonly Parameter[], weights: Weights, average: Weights = weights) {
    this.parameters = parameters;
    this.#vector = this.pack(weights);
    this.#average = this.pack(average);
    this.#tensors = this.#view(this.#vector);
  }

  get vector(): Tensor {
    return this.#vector;
  }

  get average(): Tensor {
    return this.#average;
  }

  /** Replaces the values and their average; the caller disposes of the old ones. */
  update(vector: Tensor, average: Tensor = this.#average): void {
    tf.dispose(this.#tensors);
    this.#vector = vector;
    this.#average = average;
    this.#tensors = this.#view(vector);
  }

  /**
   * Moves the values towards `others`, given by name, with weight `decay` for the current values. Disposes of `others`.
   */
  follow(others: ReadonlyMap<string, Tensor>, decay: number): void {
    this.update(averageStep(this.#vector, this.inOrder(others), decay));
    tf.dispose([...others.values()]);
  }

  updateAverage(decay: number): void {
    this.#average = averageStep(this.#average, [this.#vector], decay);
  }

  /** Names and tensors in TensorFlow's layout; every update replaces the tensors. */
  entries(): [string, Tensor][] {
    return this.parameters.map(({ name }, i) => [name, this.#tensors[i]]);
  }

  /** Orders tensors as in this group. */
  inOrder(tensors: ReadonlyMap<string, Tensor>): Tensor[] {
    return this.parameters.map(({ name }) => tensors.get(name) as Tensor);
  }

  /** Packs weights into one flat vector in this group's order. */
  pack(weights: Weights): Tensor {
    const tensors = this.parameters.map((parameter) =>
      toTensor(weights.get(parameter.name) as WeightTensor, parameter),
    );
    const vector = flatten(tensors);
    tf.dispose(tensors);
    return vector;
  }

  /** Unpacks a flat vector into weights by name, in PyTorch's layout. */
  unpack(vector: Tensor): Weights {
    const tensors = this.#view(vector);
    const weights = new Map(this.parameters.map((parameter, i) => [parameter.name, toTorch(tensors[i], parameter)]));
    tf.dispose(tensors);
    return weights;
  }

  dispose(): void {
    tf.dispose([this.#vector, this.#average, ...this.#tensors]);
  }

  #view(vector: Tensor): Tensor[] {
    return unflatten(vector, this.parameters.map(tfShape));
  }
}
