import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { packageRoot, packageVersion } from '../../base/package.js';
import { buildDir, findAddon } from '../../kernels/addon.js';
import { defineCommand } from '../command.js';
import { printResult } from '../shared.js';

const setUpCommand = existsSync(join(packageRoot, 'package-lock.json')) ? 'npm run setup' : 'npx yolox-node setup';
const require = createRequire(import.meta.url);

interface Tensorflow {
  /** Whether it loads and computes. */
  works: boolean;
  version?: string;
  flavour?: 'cpu' | 'cuda';
  directory?: string;
  binding?: string;
  /** The device it reports. */
  device?: 'CPU' | 'GPU';
  /** Names of our own registered ops; absent if set-up has compiled none for this processor. */
  ops?: string[];
  error?: string;
}

interface Gpu {
  driver?: string;
  cards: string[];
  /** What CUDA still needs, with remedies; empty if TensorFlow computes on the GPU. */
  missing: string[];
}

export const doctorCommand = defineCommand({
  command: 'doctor',
  describe: 'Show what is installed, which device computes and what is missing',
  options: {},
  examples: [
    ['doctor', 'Print a table'],
    ['doctor --json', 'Print one JSON object, for a bug report'],
  ],
  async handler(args) {
    const diagnosis = await diagnose();
    if (!diagnosis.ok) process.exitCode = 1;
    printResult(diagnosis, describe(diagnosis), args);
  },
});

type Diagnosis = Awaited<ReturnType<typeof diagnose>>;

async function diagnose() {
  const [tensorflow, card, python, pip, gxx] = await Promise.all([
    inspectTensorflow(),
    inspectCards(),
    firstLine('python3', ['--version']),
    firstLine('python3', ['-m', 'pip', '--version']),
    firstLine('g++', ['--version']),
  ]);
  const onnxruntime = inspectOnnxruntime();
  const packages = Object.fromEntries(
    ['@tensorflow/tfjs-node-gpu', 'onnxruntime-node', 'sharp'].map((name) => [name, versionOf(name)]),
  );
  return {
    ok:
      tensorflow.works &&
      tensorflow.ops !== undefined &&
      onnxruntime !== undefined &&
      Object.values(packages).every(Boolean),
    version: packageVersion,
    node: process.versions.node,
    python,
    pip,
    gxx,
    packages,
    tensorflow,
    gpu: { ...card, missing: missingForCuda(tensorflow, card) } satisfies Gpu,
    ops: { level: findAddon()?.level, names: tensorflow.ops ?? [], cudaKernels: compiledCudaKernels() },
    onnxruntime,
  };
}

/** Loads TensorFlow in a separate process, because an incompatible library can crash the process that loads it. */
async function inspectTensorflow(): Promise<Tensorflow> {
  const folder = packageFolder('@tensorflow/tfjs-node-gpu');
  if (folder === undefined) return { works: false, error: `npm packages are missing; run "${setUpCommand}"` };
  const record = join(folder, 'deps/wheels.json');
  const binding = join(folder, 'lib/napi-v8/tfjs_binding.node');
  if (!existsSync(record) || !existsSync(binding)) {
    return { works: false, error: `TensorFlow is not installed; run "${setUpCommand}"` };
  }
  const { version, flavour } = JSON.parse(readFileSync(record, 'utf8')) as Required<Tensorflow>;
  const found = { version, flavour, directory: realpathSync(join(folder, 'deps')), binding };
  try {
    const check = join(packageRoot, 'scripts/setup/check_tensorflow.cjs');
    const addon = findAddon();
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      addon ? [check, addon.file, join(buildDir, 'cuda')] : [check],
    );
    // Users who turn on TensorFlow's log want to read why it does not use the card.
    if (process.env.TF_CPP_MIN_LOG_LEVEL === '0') process.stderr.write(stderr);
    return { works: true, ...found, ...(JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Partial<Tensorflow>) };
  } catch (error) {
    const { stderr = '', signal } = error as { stderr?: string; signal?: string };
    const reason = signal ?? stderr.match(/^\w*Error: .*$/m)?.[0] ?? 'it ended early';
    return { works: false, ...found, error: `TensorFlow does not load (${reason}); run "${setUpCommand}"` };
  }
}

/** Architectures the CUDA kernels are compiled for, such as sm_90 and compute_120. */
function compiledCudaKernels(): string[] {
  const dir = join(buildDir, 'cuda');
  const files = existsSync(dir) ? readdirSync(dir) : [];
  return [...new Set(files.map((name) => name.match(/\.((?:sm|compute)_\d+)\.(?:cubin|ptx)$/)?.[1] ?? ''))]
    .filter(Boolean)
    .sort();
}

async function inspectCards(): Promise<Pick<Gpu, 'driver' | 'cards'>> {
  const listed = await firstLines('nvidia-smi', ['--query-gpu=driver_version,name', '--format=csv,noheader']);
  if (listed) {
    const rows = listed.map((line) => line.split(', '));
    return { driver: rows[0]?.[0], cards: rows.map(([, name]) => name) };
  }
  const file = '/proc/driver/nvidia/version';
  const driver = existsSync(file) ? readFileSync(file, 'utf8').match(/\d+\.\d+(\.\d+)?/)?.[0] : undefined;
  return { driver, cards: [] };
}

function missingForCuda({ flavour, device }: Tensorflow, { driver }: Pick<Gpu, 'driver'>): string[] {
  if (device === 'GPU') return [];
  const missing: string[] = [];
  if (driver === undefined) missing.push('an NVIDIA driver: install version 525 or later (CUDA 12)');
  if (flavour !== 'cuda')
    missing.push(`TensorFlow with CUDA: run "${setUpCommand} ${setUpCommand.startsWith('npm ') ? '-- ' : ''}--cuda"`);
  if (missing.length === 0) {
    missing.push(
      'a card TensorFlow can use: see what it says with TF_CPP_MIN_LOG_LEVEL=0, and check CUDA_VISIBLE_DEVICES',
    );
  }
  return missing;
}

function inspectOnnxruntime() {
  try {
    const { listSupportedBackends } = require('onnxruntime-node') as typeof import('onnxruntime-node');
    return {
      version: versionOf('onnxruntime-node'),
      providers: listSupportedBackends()
        .filter(({ bundled }) => bundled)
        .map(({ name }) => name),
    };
  } catch {
    return undefined;
  }
}

function packageFolder(name: string): string | undefined {
  const candidates = (require.resolve.paths(name) ?? []).map((dir) => join(dir, name, 'package.json'));
  const found = candidates.find((path) => existsSync(path));
  return found && dirname(found);
}

function versionOf(name: string): string | undefined {
  const folder = packageFolder(name);
  return folder && JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version;
}

async function firstLines(command: string, args: string[]): Promise<string[] | undefined> {
  try {
    const { stdout } = await promisify(execFile)(command, args);
    return stdout.trim().split('\n');
  } catch {
    return undefined;
  }
}

const firstLine = async (command: string, args: string[]) => (await firstLines(command, args))?.[0];

function describe({ version, node, python, pip, gxx, packages, tensorflow, gpu, ops, onnxruntime }: Diagnosis): string {
  const flavour = tensorflow.flavour === 'cuda' ? 'with CUDA' : 'CPU only';
  const rows: [string, string][] = [
    ['yolox-node', version],
    ['Node', node],
    ['Python', python ?? 'not found (needed by set-up alone)'],
    ['pip', pip ?? 'not found (needed by set-up alone)'],
    ['g++', gxx ?? 'not found (needed by set-up alone)'],
    ...Object.entries(packages).map(([name, found]): [string, string] => [
      name,
      found ?? `missing: run "${setUpCommand}"`,
    ]),
    ['TensorFlow', tensorflow.version ? `${tensorflow.version}, ${flavour}, in ${tensorflow.directory}` : 'missing'],
    ['  computes on', tensorflow.device ?? `nothing: ${tensorflow.error}`],
    ['NVIDIA driver', gpu.driver ?? 'none'],
    ...gpu.cards.map((name): [string, string] => ['  card', name]),
    ...gpu.missing.map((what): [string, string] => ['  CUDA lacks', what]),
    [
      'onnxruntime',
      onnxruntime ? `${onnxruntime.version}, providers ${onnxruntime.providers.join(', ')}` : 'does not load',
    ],
    [
      'our ops',
      ops.names.length > 0 ? `${ops.names.length}, compiled for ${ops.level}` : `missing: run "${setUpCommand}"`,
    ],
    ['  CUDA kernels', ops.cudaKernels.join(', ') || 'none compiled'],
  ];
  const width = Math.max(...rows.map(([label]) => label.length)) + 2;
  return rows.map(([label, text]) => label.padEnd(width) + text).join('\n');
}
