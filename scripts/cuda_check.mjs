// The stand-alone GPU test (docs/GPU.md): compiles the CUDA kernels for the cards here, holds each against its CPU
// kernel and times it. Needs an NVIDIA driver, g++ and pip; no TensorFlow and no CUDA toolkit.
//
//   npm run cuda-check [-- [--json] [OP …]]    OP: a folder of src/kernels; --json prints the timings to stdout
//
// Exits with 3, saying why in one line, where there is no card.
import { spawnSync } from 'node:child_process';
import { requireNode } from './setup/node_version.mjs';

requireNode();
const { buildCudaCheck, checkedStems } = await import('./setup/checks.mjs');
const { reportFailure, say } = await import('./setup/console.mjs');
const { compileKernels, kernelDirectory, localArchitectures } = await import('./setup/cuda_kernels.mjs');
const { hasNvidiaDriver } = await import('./setup/platform.mjs');

const NO_CARD = 3;

try {
  process.exitCode = await check(process.argv.slice(2));
} catch (error) {
  reportFailure(error);
}

async function check(args) {
  if (!hasNvidiaDriver()) {
    say('cuda-check: no card to run on: no NVIDIA driver is installed.');
    return NO_CARD;
  }
  const stems = checkedStems({ cuda: true });
  const architectures = await localArchitectures();
  say(`cuda-check: compiling for ${architectures.join(', ')}`);
  await compileKernels(architectures, stems);
  const program = await buildCudaCheck(stems);
  const flags = args.filter((arg) => arg.startsWith('--'));
  const chosen = args.filter((arg) => !arg.startsWith('--'));
  return spawnSync(program, [...flags, kernelDirectory(), ...chosen], { stdio: 'inherit' }).status ?? 1;
}
