import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { copyFile, rename, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { say } from './console.mjs';
import { buildProgram, compilations, precompileHeader } from './gxx.mjs';
import { cacheDir, packageDir, root } from './paths.mjs';
import { withStaging } from './staging.mjs';
import { tensorflowDir, tensorflowVersion } from './tensorflow.mjs';
import { installWheels, missingWheels } from './wheels.mjs';

const onednn = JSON.parse(readFileSync(join(import.meta.dirname, 'onednn.json'), 'utf8'));
const onednnDir = join(cacheDir, `onednn-${onednn.version}`);

const sources = join(root, 'src/kernels');
/** What CPU kernels are compiled for, best last; each by the first processors that had it. */
const LEVELS = JSON.parse(readFileSync(join(import.meta.dirname, 'levels.json'), 'utf8'));
/** Where the addons lie, beside the link to oneDNN that they are bound to. */
const target = join(root, 'build');
const ADDON_SOURCES = ['native/addon.cc', 'native/cuda_driver.cc', 'native/cuda_launcher.cc'];

const COMMON = ['-O3', '-fPIC', '-fopenmp', '-fno-math-errno', '-fno-trapping-math', '-DNDEBUG'];
/** What TensorFlow 2.21's wheel was compiled with (tf.sysconfig.get_compile_flags). */
const TENSORFLOW = ['-D_GLIBCXX_USE_CXX11_ABI=1', '-DEIGEN_MAX_ALIGN_BYTES=64', '-DNAPI_VERSION=8'];
const LINKING = [
  '-shared',
  '-fopenmp',
  // A symbol that is missing shows when set-up loads the addon, not in the middle of a training.
  '-Wl,-z,now',
  '-Wl,-rpath,$ORIGIN/onednn/lib',
  '-l:libtensorflow_cc.so.2',
  '-l:libtensorflow_framework.so.2',
  '-l:libdnnl.so.3',
  '-ldl',
];

/** Levels this processor has. */
export function supportedLevels() {
  const flags =
    readFileSync('/proc/cpuinfo', 'utf8')
      .match(/^flags\s*:(.*)$/m)?.[1]
      .split(' ') ?? [];
  return LEVELS.filter(({ flag }) => flags.includes(flag)).map(({ name }) => name);
}

/** Wheels of oneDNN still to fetch. */
export const missingOnednn = () => missingWheels(onednnDir, onednn.wheels);

/** The levels to compile for: the best of this machine, or with `portable` all, for an image that runs elsewhere. */
const wantedLevels = (portable) => LEVELS.filter(({ name }) => portable || name === supportedLevels().at(-1));

/** The addon this machine uses. */
export const addonFile = () => join(target, addonName(wantedLevels(false)[0]));

const addonName = (level) => `yolox_ops.${level.name}.node`;

/** Whether the addons are in place, compiled from the present sources. */
export function opsReady(portable) {
  if (!existsSync(sources)) return true;
  if (missingOnednn().length > 0 || linkTarget(join(target, 'onednn')) !== onednnDir) return false;
  const key = sourcesKey();
  return wantedLevels(portable).every((level) => {
    const file = join(target, addonName(level));
    return existsSync(file) && linkTarget(`${file}.key`) === key;
  });
}

/** Compiles our TensorFlow ops, taking from the cache what is compiled already. */
export async function installOps(flavour, portable) {
  await installWheels(onednnDir, onednn.wheels, { version: onednn.version });
  const key = sourcesKey();
  const levels = wantedLevels(portable);
  const names = levels.map(({ name }) => name).join(', ');
  say(`ops: compiling for ${names} what the cache lacks`);
  const before = compilations();
  for (const level of levels) {
    const built = await buildAddon(level, flavour);
    await withStaging(target, async (staging) => {
      const draft = join(staging, addonName(level));
      await copyFile(built, draft);
      await rename(draft, join(target, addonName(level)));
      await placeLink(key, join(target, `${addonName(level)}.key`), staging);
      await placeLink(onednnDir, join(target, 'onednn'), staging);
    });
  }
  return `${compilations() > before ? 'compiled' : 'taken from the cache'} for ${names}`;
}

const linkTarget = (path) => {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
};

async function placeLink(destination, path, staging) {
  const draft = join(staging, 'link');
  await symlink(destination, draft);
  await rename(draft, path);
}

function sourcesKey() {
  const hash = createHash('sha256').update([tensorflowVersion, ...COMMON, ...TENSORFLOW, ...LINKING].join('\n'));
  for (const name of readdirSync(sources, { recursive: true }).sort()) {
    if (/\.(cc|h)$/.test(name)) hash.update(name).update(readFileSync(join(sources, name)));
  }
  return hash.digest('hex').slice(0, 16);
}

/** Path of the addon of a level in the cache. What has to do with TensorFlow is compiled once, CPU kernels per level. */
async function buildAddon(level, flavour) {
  const tensorflow = tensorflowDir(flavour);
  const headers = [join(tensorflow, 'include'), join(packageDir('node-api-headers'), 'include')];
  const opFlags = [...COMMON, ...TENSORFLOW, ...headers.flatMap((dir) => ['-isystem', dir])];
  // Reading TensorFlow's headers takes longer than compiling any one of our files.
  const precompiled = await precompileHeader(join(sources, 'native/op.h'), opFlags);
  const kernelFlags = [...COMMON, ...level.compiler, '-isystem', join(onednnDir, 'include')];
  const files = readdirSync(sources, { recursive: true }).sort();
  const units = (names, flags) => names.map((name) => ({ source: join(sources, name), flags }));
  return buildProgram(
    addonName(level),
    [
      ...units(ADDON_SOURCES, ['-include', precompiled, ...opFlags]),
      ...units(
        files.filter((name) => /_(op|launch)\.cc$/.test(name)),
        ['-include', precompiled, ...opFlags],
      ),
      ...units(
        files.filter((name) => name.endsWith('_cpu.cc')),
        kernelFlags,
      ),
    ],
    [...[join(tensorflow, 'lib'), join(onednnDir, 'lib')].flatMap((dir) => ['-L', dir]), ...LINKING],
  );
}
