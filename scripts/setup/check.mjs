import { dirname, join } from 'node:path';
import { lastWords, run } from './command.mjs';
import { SetupError, say } from './console.mjs';
import { cacheDir } from './paths.mjs';
import { hasNvidiaDriver } from './platform.mjs';

/** Loads TensorFlow and the addon with our ops in a process of its own and computes; returns {version, device, ops}. */
export async function checkTensorflow(flavour, addon) {
  const check = await run(process.execPath, [
    join(import.meta.dirname, 'check_tensorflow.cjs'),
    ...(addon ? [addon, join(dirname(addon), 'cuda')] : []),
  ]);
  if (check.code !== 0) {
    throw new SetupError(
      `TensorFlow does not work here. Delete ${cacheDir} and run again; if that does not help, report what it said:\n` +
        lastWords(check, 20),
    );
  }
  const found = JSON.parse(check.stdout.split('\n').at(-1));
  if (flavour === 'cuda' && found.device === 'CPU') {
    const reason = hasNvidiaDriver() ? 'TensorFlow found no usable card' : 'no NVIDIA driver is installed';
    say(`check: no GPU is in use: ${reason}.`);
  }
  return found;
}
