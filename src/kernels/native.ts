import { createRequire } from 'node:module';
import { join } from 'node:path';
import { didYouMean, messageOf, UserError } from '../base/errors.js';
import { buildDir, findAddon } from './addon.js';
// Our ops register with a TensorFlow that is loaded already.
import './tf.js';

/** Set before OpenMP loads; what the user has set stays. */
const ENVIRONMENT = {
  // On a busy machine, a thread that spins while waiting takes the processor from the thread it waits for.
  GOMP_SPINCOUNT: '1000',
};

const CHOICES = ['native', 'reference'] as const;

/** Whether our own ops compute; otherwise what is composed of TensorFlow's (`YOLOX_OPS=reference`). */
export const nativeOps: boolean = chosen() === 'native' && load();

function chosen(): (typeof CHOICES)[number] {
  const received = process.env.YOLOX_OPS || 'native';
  const choice = CHOICES.find((name) => name === received);
  if (choice) return choice;
  const expected = CHOICES.join(' or ');
  throw new UserError({ where: 'YOLOX_OPS', expected, received, hint: didYouMean(received, CHOICES) });
}

function load(): true {
  for (const [name, value] of Object.entries(ENVIRONMENT)) process.env[name] ??= value;
  const addon = findAddon();
  if (!addon) throw absent('none');
  try {
    createRequire(import.meta.url)(addon.file).useKernels(join(buildDir, 'cuda'));
  } catch (error) {
    throw absent(messageOf(error).split('\n')[0], error);
  }
  return true;
}

function absent(received: string, cause?: unknown): UserError {
  return new UserError(
    {
      where: buildDir,
      expected: 'our TensorFlow ops compiled for this processor (yolox_ops.*.node)',
      received,
      hint: 'Run `npx yolox-node setup` (`npm run setup` in a clone), or set YOLOX_OPS=reference to do without.',
    },
    { cause },
  );
}
