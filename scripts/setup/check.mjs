import { join } from 'node:path';
import { run, tail } from './command.mjs';
import { SetupError, say } from './console.mjs';
import { hasNvidiaDriver } from './platform.mjs';

/** Loads TensorFlow in a process of its own and computes with it; returns {version, device}. */
export async function checkTensorflow(flavour) {
  const { code, output } = await run(process.execPath, [join(import.meta.dirname, 'check_tensorflow.cjs')]);
  if (code !== 0) {
    throw new SetupError(
      `TensorFlow does not work. Delete the cache folder (YOLOX_CACHE) and run again; if that does not help, report:\n${tail(output, 20)}`,
    );
  }
  const result = JSON.parse(output.split('\n').at(-1));
  if (flavour === 'cuda' && result.device === 'CPU') {
    say(
      `check: no GPU is in use: ${hasNvidiaDriver() ? 'TensorFlow found no usable card' : 'no NVIDIA driver is installed'}.`,
    );
  }
  return result;
}
