import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lastWords, run } from './command.mjs';
import { SetupError } from './console.mjs';
import { buildProgram, inParallel } from './gxx.mjs';
import { makeDir } from './make_dir.mjs';
import { cacheDir, root } from './paths.mjs';
import { withStaging } from './staging.mjs';
import { tensorflowDir } from './tensorflow.mjs';
import { installWheels, missingWheels } from './wheels.mjs';

const sources = join(root, 'src/kernels');
/** Through which the addon finds the kernels (src/kernels/native.ts). */
const link = join(root, 'build/cuda');

/** What an image for any card holds: a binary for each kind of card, and PTX, which the driver compiles for later ones. */
export const ARCHITECTURES = ['sm_80', 'sm_86', 'sm_89', 'sm_90', 'sm_100', 'sm_120', 'compute_120'];
const PTX = ARCHITECTURES.at(-1);

/** Registers, shared memory and spills of each kernel come with the compiler's log. */
const OPTIONS = ['--std=c++17', '--ptxas-options=-v'];

/** NVRTC, and the headers that device code may include; TensorFlow with CUDA brings the same wheels. */
const WHEELS = JSON.parse(readFileSync(join(import.meta.dirname, 'tensorflow.json'), 'utf8')).cuda.filter(({ name }) =>
  ['nvidia-cuda-nvrtc-cu12', 'nvidia-cuda-runtime-cu12'].includes(name),
);
const version = WHEELS[0].version;

const nvrtcDirs = () => [tensorflowDir('cuda'), join(cacheDir, `nvrtc-${version}`)];
const nvrtcDir = () => nvrtcDirs().find((dir) => missingWheels(dir, WHEELS).length === 0);

/** Path of the library that compiles kernels, installed or not. */
export const compilerLibrary = () => join(nvrtcDir() ?? nvrtcDirs().at(-1), 'nvidia/cuda_nvrtc/lib/libnvrtc.so.12');

/** Brings NVRTC, unless TensorFlow with CUDA has, and the program that calls it; returns the program's path. */
export async function installCompiler() {
  if (!nvrtcDir()) await installWheels(nvrtcDirs().at(-1), WHEELS, { version });
  const names = ['nvrtc_compile.cc', 'cuda_driver.cc'];
  const units = names.map((name) => ({ source: join(sources, 'native', name), flags: ['-O1'] }));
  return buildProgram('nvrtc_compile', units, ['-ldl']);
}

/** Ops with CUDA kernels. */
export const cudaStems = () => readdirSync(sources).filter((stem) => existsSync(join(sources, stem, `${stem}.cu`)));

let directory;

/** Where the kernels of the present sources are kept, as <stem>.<architecture>.cubin or .ptx. */
export function kernelDirectory() {
  directory ??= hashedDirectory();
  return directory;
}

function hashedDirectory() {
  const hash = createHash('sha256').update([version, ...OPTIONS].join('\n'));
  const files = readdirSync(sources, { recursive: true }).filter((name) => /\.(cu|h)$/.test(name));
  for (const name of files.sort()) hash.update(name).update(readFileSync(join(sources, name)));
  return join(cacheDir, 'cuda-kernels', hash.digest('hex').slice(0, 16));
}

const kernelFile = (stem, architecture) =>
  join(kernelDirectory(), `${stem}.${architecture}.${architecture.startsWith('sm_') ? 'cubin' : 'ptx'}`);

/** Whether the addon finds kernels of the present sources, for any card or, without `portable`, for those here. */
export function kernelsReady(portable) {
  if (!existsSync(sources)) return true;
  const list = join(link, 'architectures.json');
  if (!existsSync(list) || readlinkSync(link) !== kernelDirectory()) return false;
  const known = JSON.parse(readFileSync(list, 'utf8'));
  return !portable || ARCHITECTURES.every((architecture) => known.includes(architecture));
}

/** Compiles the kernels for the cards here, or for any with `portable`, and shows them to the addon. */
export async function installKernels(portable) {
  const architectures = portable ? ARCHITECTURES : await localArchitectures();
  const compiled = await compileKernels(architectures);
  // The cache may lie on another file system than the link.
  await withStaging(cacheDir, async (staging) => {
    await writeFile(join(staging, 'list'), JSON.stringify(architectures));
    await rename(join(staging, 'list'), join(kernelDirectory(), 'architectures.json'));
  });
  await withStaging(join(root, 'build'), async (staging) => {
    await symlink(kernelDirectory(), join(staging, 'link'));
    await rename(join(staging, 'link'), link);
  });
  if (architectures.length === 0) return 'no card found, none compiled';
  return `${compiled > 0 ? 'compiled' : 'taken from the cache'} for ${architectures.join(', ')}`;
}

/** Brings the kernels of some ops (all by default) into the cache; returns how many files it compiled. */
export async function compileKernels(architectures, stems = cudaStems()) {
  makeDir(kernelDirectory());
  const wanted = stems.flatMap((stem) => architectures.map((architecture) => ({ stem, architecture })));
  const missing = wanted.filter(({ stem, architecture }) => !existsSync(kernelFile(stem, architecture)));
  if (missing.length === 0) return 0;
  const compiler = await installCompiler();
  await inParallel(missing.map((kernel) => () => compileKernel(compiler, kernel)));
  return missing.length;
}

/**
 * What ptxas says of the kernels in the cache: a list of {stem, architecture, kernel, registers, shared (bytes),
 * spilled (bytes stored and loaded)}.
 */
export function kernelResources(architectures, stems = cudaStems()) {
  const binaries = architectures.filter((architecture) => architecture.startsWith('sm_'));
  return stems.flatMap((stem) =>
    binaries.flatMap((architecture) =>
      parseLog(readFileSync(`${kernelFile(stem, architecture)}.log`, 'utf8')).map((kernel) => ({
        stem,
        architecture,
        ...kernel,
      })),
    ),
  );
}

/** The architectures of this machine's cards; PTX for one that NVRTC does not know yet. */
export async function localArchitectures() {
  const result = await run(await installCompiler(), [compilerLibrary(), 'list']);
  if (result.code !== 0) throw new SetupError(`NVRTC does not work here:\n${lastWords(result)}`);
  const { architectures, cards } = JSON.parse(result.stdout);
  const known = (card) => (architectures.includes(card) ? `sm_${card}` : PTX);
  return [...new Set(cards.map(known))];
}

async function compileKernel(compiler, { stem, architecture }) {
  const output = kernelFile(stem, architecture);
  await withStaging(cacheDir, async (staging) => {
    const draft = join(staging, 'kernel');
    const includes = [sources, join(nvrtcDir(), 'nvidia/cuda_runtime/include')].map((dir) => `-I${dir}`);
    const source = join(sources, stem, `${stem}.cu`);
    const result = await run(compiler, [
      compilerLibrary(),
      'compile',
      source,
      draft,
      architecture,
      ...OPTIONS,
      ...includes,
    ]);
    if (result.code !== 0)
      throw new SetupError(`NVRTC could not compile ${stem}.cu for ${architecture}:\n${lastWords(result, 30)}`);
    makeDir(kernelDirectory());
    await writeFile(`${draft}.log`, result.stdout);
    await rename(`${draft}.log`, `${output}.log`);
    await rename(draft, output);
  });
}

function parseLog(log) {
  return log
    .split("Compiling entry function '")
    .slice(1)
    .map((part) => {
      const number = (pattern) => Number(part.match(pattern)?.[1] ?? 0);
      return {
        kernel: part.slice(0, part.indexOf("'")),
        registers: number(/Used (\d+) registers/),
        shared: number(/(\d+) bytes smem/),
        spilled: number(/(\d+) bytes spill stores/) + number(/(\d+) bytes spill loads/),
      };
    });
}
