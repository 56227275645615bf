import { messageOf, UserError } from '../../base/errors.js';

/** Causes and remedies of worker failures, by error code. */
const DEATHS: Record<string, { received: string; hint: string }> = {
  ERR_WORKER_OUT_OF_MEMORY: {
    received: 'out of memory',
    hint: 'Lower train.workers, train.cacheMb or train.batch.',
  },
  MODULE_NOT_FOUND: {
    received: 'a file of the program is missing',
    hint: 'Run `npm run setup` in a clone, or install the package again.',
  },
};
DEATHS.ERR_MODULE_NOT_FOUND = DEATHS.MODULE_NOT_FOUND;

/** Explains the death of a batch worker: a UserError if there is a remedy, else an Error that names the cause. */
export function explainWorkerError(error: unknown): Error {
  const death = DEATHS[(error as NodeJS.ErrnoException).code ?? ''];
  if (!death) return new Error(`A worker that makes training batches failed: ${messageOf(error)}`, { cause: error });
  const { received, hint } = death;
  const expected = 'worker threads that make training batches to the end';
  return new UserError(
    { where: 'model-train', expected, received: `${received} (${messageOf(error).split('\n')[0]})`, hint },
    { cause: error },
  );
}
