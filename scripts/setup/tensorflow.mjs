import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastWords, run } from './command.mjs';
import { SetupError } from './console.mjs';
import { cacheDir } from './paths.mjs';
import { installWheels, missingWheels } from './wheels.mjs';

/** Pinned wheels of each flavour. */
const manifest = JSON.parse(readFileSync(join(import.meta.dirname, 'tensorflow.json'), 'utf8'));

export const tensorflowVersion = manifest.version;

/** Folder of one flavour ('cpu' or 'cuda') in the cache: lib, include and, for CUDA, nvidia. */
export const tensorflowDir = (flavour) => join(cacheDir, `tensorflow-${manifest.version}-${flavour}`);

/** The wheels of a flavour that are not in place yet. */
export const missingTensorflow = (flavour) => missingWheels(tensorflowDir(flavour), manifest[flavour]);

/** Brings a flavour of TensorFlow into the cache. */
export async function installTensorflow(flavour) {
  const dir = tensorflowDir(flavour);
  const facts = { version: manifest.version, flavour };
  const installed = await installWheels(dir, manifest[flavour], facts);
  if (flavour === 'cuda' && installed > 0) await checkCudaLibraries();
  return `${tensorflowVersion} (${flavour}) ${installed > 0 ? 'installed' : 'in place'} in ${dir}`;
}

/** Has TensorFlow open every CUDA library by the paths it uses at run time; needs no card and no driver. */
async function checkCudaLibraries() {
  const script = join(import.meta.dirname, 'check_cuda.py');
  const result = await run('python3', [script, join(tensorflowDir('cuda'), 'lib')]);
  if (result.code !== 0) throw new SetupError(`TensorFlow does not find its CUDA libraries:\n${lastWords(result)}`);
}
