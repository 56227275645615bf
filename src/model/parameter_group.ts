import { averageStep, flatten, unflatten } from '../kernels/optimizer_step/index.js';
import { type Tensor, tf } from '../kernels/tf.js';
import { tfShape, toTensor, toTorch } from './layout.js';
import type { Parameter } from './parameters.js';
import type { Weights, WeightTensor } from './weights/weights.js';

/** Parameters kept as one flat vector with its moving average, and seen as tensors by name. */
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

  /** Moves the values towards others, which are disposed of: by name, `decay` the weight of the present ones. */
  follow(others: ReadonlyMap<string, Tensor>, decay: number): void {
    this.update(averageStep(this.#vector, this.inOrder(others), decay));
    tf.dispose([...others.values()]);
  }

  updateAverage(decay: number): void {
    this.#average = averageStep(this.#average, [this.#vector], decay);
  }

  /** Name and tensor in TensorFlow's layout; they change with every update. */
  entries(): [string, Tensor][] {
    return this.parameters.map(({ name }, i) => [name, this.#tensors[i]]);
  }

  /** Tensors by name → the same in this group's order. */
  inOrder(tensors: ReadonlyMap<string, Tensor>): Tensor[] {
    return this.parameters.map(({ name }) => tensors.get(name) as Tensor);
  }

  /** Weights by name → one flat vector in this group's order. */
  pack(weights: Weights): Tensor {
    const tensors = this.parameters.map((parameter) =>
      toTensor(weights.get(parameter.name) as WeightTensor, parameter),
    );
    const vector = flatten(tensors);
    tf.dispose(tensors);
    return vector;
  }

  /** One flat vector → weights by name, in PyTorch's layout. */
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
