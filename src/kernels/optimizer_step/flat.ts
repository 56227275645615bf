import type { Tensor } from '../tf.js';

/** In a flat vector every tensor starts at a multiple of so many floats: TensorFlow's kernels want 64 bytes. */
const ALIGNMENT = 16;

/** Floats that `size` values take in a flat vector, with the zeros after them. */
export const flatSize = (size: number): number => Math.ceil(size / ALIGNMENT) * ALIGNMENT;

/**
 * What an optimiser works on, as flat vectors [P] that hold one parameter after the other, whatever their number;
 * the gaps between them hold zeros.
 */
export interface FlatState {
  parameters: Tensor;
  /** Momentum (SGD), or first and second moments (Adam). */
  moments: Tensor[];
  /** Moving average of the parameters, where one is kept. */
  average?: Tensor;
}

/** What changes from one step to the next. */
export interface StepNumbers {
  /** Number of this update, from 1. */
  step: number;
  lr: number;
  /** Weight of the old in the moving average. */
  averageDecay?: number;
  /** What the loss was multiplied by before the gradients were taken (default 1). */
  lossScale?: number;
}

export interface StepResult {
  next: FlatState;
  /** [1]: 1, or 0 where a gradient was infinite or NaN and everything stayed as it was. */
  applied: Tensor;
}
