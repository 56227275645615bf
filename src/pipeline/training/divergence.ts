import { messageOf, UserError } from '../../base/errors.js';
import type { TrainConfig } from '../../config/schema.js';

/** TensorFlow's error for insufficient memory (tsl/platform/error.h: RESOURCE_EXHAUSTED), as tfjs-node words it. */
const OUT_OF_MEMORY = /TF_Status: 8\b|\bOOM\b|ran out of memory/;

/** Error for training that produced non-finite numbers at `place`. */
export function diverged(place: string, received: string): UserError {
  return new UserError({
    where: 'model-train',
    field: place,
    expected: 'a finite loss, gradients and weights',
    received,
    hint:
      'Lower train.optimizer.lr, lengthen train.schedule.warmupEpochs or set train.optimizer.clipNorm; the last ' +
      'completed epoch is kept.',
  });
}

/** Explains why a step failed: a UserError if memory ran out, else the original error. */
export function explainStepError(error: unknown, { batch, multiscale }: TrainConfig): unknown {
  if (!OUT_OF_MEMORY.test(messageOf(error))) return error;
  return new UserError(
    {
      where: 'model-train',
      expected: `memory for a step with batch ${batch}`,
      reason: messageOf(error),
      hint: `Lower train.batch, model.preprocess.size${multiscale > 0 ? ', train.multiscale' : ''} or model.width.`,
    },
    { cause: error },
  );
}
