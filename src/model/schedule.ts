import type { TrainConfig } from '../config/schema.js';

export interface ScheduleLength {
  iterationsPerEpoch: number;
  epochs: number;
}

/** Learning rate of a 1-based iteration (yolox/utils/lr_scheduler.py). */
export function learningRate(
  iteration: number,
  lr: number,
  { iterationsPerEpoch, epochs }: ScheduleLength,
  { name, warmupEpochs, warmupLr, noAugEpochs, minLrRatio }: TrainConfig['schedule'],
): number {
  const total = iterationsPerEpoch * epochs;
  const warmup = iterationsPerEpoch * warmupEpochs;
  const flat = iterationsPerEpoch * noAugEpochs;
  if (name === 'cos') return lr * cosine(iteration / total);
  if (iteration <= warmup) {
    const progress = iteration / warmup;
    return warmupLr + (lr - warmupLr) * (name === 'yoloxwarmcos' ? progress ** 2 : progress);
  }
  if (name === 'warmcos') return lr * cosine((iteration - warmup) / (total - warmup));
  const lowest = lr * minLrRatio;
  if (iteration >= total - flat) return lowest;
  return lowest + (lr - lowest) * cosine((iteration - warmup) / (total - warmup - flat));
}

/** From 1 at 0 down to 0 at 1. */
const cosine = (progress: number): number => 0.5 * (1 + Math.cos(Math.PI * progress));
