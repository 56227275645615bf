import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../base/errors.js';
import type { TrainSnapshot } from '../../model/train_state.js';
import { type CheckpointInfo, checkpointMetadata } from '../../model/weights/checkpoint.js';
import { assertNumbers } from '../../model/weights/numbers.js';
import { readSafetensors, type TensorData, writeSafetensors } from '../../model/weights/safetensors.js';
import type { Weights } from '../../model/weights/weights.js';

/** State of a training run besides its tensors. */
export interface RunProgress {
  /** Epochs completed. */
  epoch: number;
  /** Best AP on the validation split and its epoch; null before the first validation or without an AP. */
  bestMap: number | null;
  bestEpoch: number;
  /** Validations since the best one. */
  stale: number;
}

const RESUME_FILE = 'resume.safetensors';

/** Remedy for damaged files of interrupted training. */
export const START_OVER =
  'The training cannot go on from it: `npx yolox-node model-train --force` with the same configuration starts over.';

/** Weights for use, by Megvii key. */
export async function saveWeights(path: string, weights: Weights, info: CheckpointInfo): Promise<void> {
  await writeSafetensors(path, weights, checkpointMetadata(info));
}

/** Saves everything that an interrupted run needs to continue as if uninterrupted. */
export async function saveResume(dir: string, snapshot: TrainSnapshot, progress: RunProgress): Promise<void> {
  const tensors = new Map<string, TensorData>();
  const put = (prefix: string, weights: Weights) => {
    for (const [name, tensor] of weights) tensors.set(`${prefix}/${name}`, tensor);
  };
  put('weights', snapshot.weights);
  put('average', snapshot.average);
  for (const [i, moment] of snapshot.moments.entries()) put(`moment${i}`, moment);
  await writeSafetensors(join(dir, RESUME_FILE), tensors, {
    step: String(snapshot.step),
    moments: String(snapshot.moments.length),
    progress: JSON.stringify(progress),
  });
}

export async function loadResume(dir: string): Promise<{ snapshot: TrainSnapshot; progress: RunProgress } | undefined> {
  const path = join(dir, RESUME_FILE);
  if (!existsSync(path)) return undefined;
  const { tensors, metadata } = await readSafetensors(path).catch((error) => {
    throw error instanceof UserError ? new UserError({ ...error.problem, hint: START_OVER }, { cause: error }) : error;
  });
  const take = (prefix: string): Weights =>
    new Map(
      [...tensors]
        .filter(([name]) => name.startsWith(`${prefix}/`))
        .map(([name, { shape, data }]) => [name.slice(prefix.length + 1), { shape, data: data as Float32Array }]),
    );
  const snapshot = {
    step: Number(metadata.step),
    weights: take('weights'),
    average: take('average'),
    moments: Array.from({ length: Number(metadata.moments) }, (_, i) => take(`moment${i}`)),
  };
  for (const state of [snapshot.weights, snapshot.average, ...snapshot.moments]) assertNumbers(state, path);
  return { snapshot, progress: JSON.parse(metadata.progress) };
}
