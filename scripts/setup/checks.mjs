import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildProgram } from './gxx.mjs';
import { cacheDir, root } from './paths.mjs';

/** Where native ops live, one folder each. */
export const kernels = join(root, 'src/kernels');

const WARNINGS = ['-Wall', '-Wextra', '-Wno-unknown-pragmas', '-Wno-unused-parameter'];
/** How code that runs on the host is compiled for checks. */
export const HOST_FLAGS = ['-O2', '-g1', '-fopenmp-simd', '-fno-math-errno', '-fno-trapping-math', ...WARNINGS];

/** Ops that have a check, with `cuda` those that have CUDA kernels too. */
export const checkedStems = ({ cuda = false } = {}) =>
  readdirSync(kernels).filter(
    (stem) =>
      existsSync(join(kernels, stem, `${stem}_check.cc`)) && (!cuda || existsSync(join(kernels, stem, `${stem}.cu`))),
  );

/** Units (gxx.mjs) of the checks of some ops, of all CPU kernels and launches, and of what runs the checks. */
export function checkUnits(stems, flags = []) {
  const checks = stems.map((stem) => join(stem, `${stem}_check.cc`));
  // One op's kernel may call another's.
  const tested = readdirSync(kernels, { recursive: true }).filter((name) => /_(cpu|launch)\.cc$/.test(name));
  const files = ['native/check.cc', ...checks, ...tested.sort()].map((name) => join(kernels, name));
  return files.map((source) => ({
    source,
    flags: [...HOST_FLAGS, ...flags, ...(source.endsWith('_cpu.cc') ? bestLevel() : []), ...onednn().compiling],
  }));
}

/** Builds cuda-check (native/cuda_check.cc) with the checks of some ops; resolves to the program's path. */
export function buildCudaCheck(stems) {
  const names = ['cuda_check.cc', 'cuda_driver.cc'];
  const own = names.map((name) => ({ source: join(kernels, 'native', name), flags: HOST_FLAGS }));
  return buildProgram('cuda_check', [...checkUnits(stems), ...own], [...checkLinking(), '-ldl']);
}

/** Flags that link what checkUnits calls. */
export const checkLinking = () => ['-pthread', ...onednn().linking];

/** What the processor has decides how CPU kernels are compiled, as it does for the addon. */
function bestLevel() {
  const levels = JSON.parse(readFileSync(join(import.meta.dirname, 'levels.json'), 'utf8'));
  const line = readFileSync('/proc/cpuinfo', 'utf8').match(/^flags\s*:(.*)$/m)?.[1] ?? '';
  const has = line.split(' ');
  return levels.filter(({ flag }) => has.includes(flag)).at(-1)?.compiler ?? [];
}

/** oneDNN, which the convolution's CPU kernel calls, where set-up has brought it. */
function onednn() {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, 'onednn.json'), 'utf8'));
  const dir = join(cacheDir, `onednn-${version}`);
  if (!existsSync(dir)) return { compiling: [], linking: [] };
  const lib = join(dir, 'lib');
  return {
    compiling: ['-isystem', join(dir, 'include')],
    linking: ['-L', lib, `-Wl,-rpath,${lib}`, '-Wl,--as-needed', '-l:libdnnl.so.3'],
  };
}
