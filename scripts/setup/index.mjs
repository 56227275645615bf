import { realpathSync } from 'node:fs';
import { bindingCached, bindingReady, installBinding, linkedFlavour } from './binding.mjs';
import { build, buildReady, hasSources } from './build.mjs';
import { checkTensorflow } from './check.mjs';
import { stopCommands } from './command.mjs';
import { stage } from './console.mjs';
import { installKernels, kernelsReady } from './cuda_kernels.mjs';
import { withLock } from './lock.mjs';
import { makeDir } from './make_dir.mjs';
import { addonFile, installOps, missingOnednn, opsReady } from './ops.mjs';
import { installPackages, PACKAGES_BYTES, packagesReady } from './packages.mjs';
import { cacheDir, isClone, packageDir, root, workDir } from './paths.mjs';
import { checkCompiler, checkDisk, checkPlatform, checkPython, hasNvidiaDriver } from './platform.mjs';
import { removeStaging, sweepStaging } from './staging.mjs';
import { installTensorflow, missingTensorflow, tensorflowDir } from './tensorflow.mjs';
import { bytesNeeded } from './wheels.mjs';

/** Whether everything set-up installs is in place, dist aside; takes milliseconds. */
export function isReady() {
  const flavour = linkedFlavour();
  if (!flavour || (isClone && !packagesReady())) return false;
  return (
    missingTensorflow(flavour).length === 0 &&
    bindingReady(flavour) &&
    opsReady() &&
    (flavour !== 'cuda' || kernelsReady())
  );
}

/**
 * Brings everything in place that is missing and checks it.
 * `flavour`: 'cpu' or 'cuda'; by default the one linked before, else 'cuda' where an NVIDIA driver is installed.
 * `portable`: compile our ops for every level of processor, not only this machine's.
 * Returns {flavour, version, device, directory, seconds: {stage: s}}.
 */
export async function setUp({
  flavour = linkedFlavour() ?? (hasNvidiaDriver() ? 'cuda' : 'cpu'),
  portable = false,
} = {}) {
  const seconds = {};
  await stage('platform', seconds, () => checkPlatform());
  // First of all: whatever comes next uses it.
  makeDir(cacheDir);
  return stoppingCleanly(() => withLock(realpathSync(cacheDir), () => install(flavour, portable, seconds)));
}

async function install(flavour, portable, seconds) {
  for (const dir of [cacheDir, workDir, packageDir('@tensorflow/tfjs-node-gpu') ?? workDir]) await sweepStaging(dir);
  const packages = !isClone || packagesReady();
  const wheels = [...missingTensorflow(flavour), ...missingOnednn()];
  if (wheels.length > 0) await checkPython();
  if (!bindingCached() || !opsReady(portable)) await checkCompiler();
  await checkDisk([
    [cacheDir, bytesNeeded(wheels)],
    [root, packages ? 0 : PACKAGES_BYTES],
  ]);
  if (isClone) await stage('packages', seconds, () => (packages ? 'in place' : installPackages()));
  await stage('tensorflow', seconds, () => installTensorflow(flavour));
  await stage('binding', seconds, () => (bindingReady(flavour) ? 'in place' : installBinding(flavour)));
  if (hasSources())
    await stage('ops', seconds, () => (opsReady(portable) ? 'in place' : installOps(flavour, portable)));
  if (flavour === 'cuda' && hasSources()) await stage('kernels', seconds, () => installKernels(portable));
  let result;
  await stage('check', seconds, async () => {
    result = await checkTensorflow(flavour, hasSources() ? addonFile() : undefined);
    return `TensorFlow ${result.version} computes on the ${result.device}${result.ops ? `, with ${result.ops.length} ops of ours` : ''}`;
  });
  if (isClone && hasSources()) await stage('build', seconds, () => (buildReady() ? 'in place' : build()));
  return { flavour, ...result, directory: tensorflowDir(flavour), seconds };
}

/** Told to stop, ends the commands under way and removes unfinished work; a kill -9 leaves that to the next set-up. */
async function stoppingCleanly(work) {
  const stop = (_signal, number) => {
    stopCommands();
    removeStaging();
    process.exit(128 + number);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.once(signal, stop);
  try {
    return await work();
  } finally {
    for (const signal of signals) process.off(signal, stop);
  }
}
