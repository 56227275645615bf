import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { copyFile, rename, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { lastWords, run } from './command.mjs';
import { SetupError, say } from './console.mjs';
import { makeDir } from './make_dir.mjs';
import { cacheDir, packageDir } from './paths.mjs';
import { glibcVersion } from './platform.mjs';
import { withStaging } from './staging.mjs';
import { tensorflowDir, tensorflowVersion } from './tensorflow.mjs';

const SOURCES = ['tfjs_backend.cc', 'tfjs_binding.cc'];
/** Opens TensorFlow in a constructor of the binding's own, so the binding isn't linked to it but bound at first use. */
const LOADER = join(import.meta.dirname, 'quiet_load.cc');
const FLAGS = ['-std=c++17', '-O2', '-fPIC', '-shared', '-DNAPI_VERSION=8', '-D_GLIBCXX_USE_CXX11_ABI=1'];
const LINKING = ['-Wl,-z,lazy', '-Wl,-rpath,$ORIGIN/../../deps/lib'];

/** Where tfjs-node-gpu looks for its binding, and the link through which the binding finds TensorFlow. */
function places() {
  const dir = packageDir('@tensorflow/tfjs-node-gpu');
  if (!dir) return undefined;
  const binding = join(dir, 'lib/napi-v8/tfjs_binding.node');
  return { dir, sources: join(dir, 'binding'), deps: join(dir, 'deps'), binding, key: `${binding}.key` };
}

/** The flavour of TensorFlow that is linked now; undefined where none is. */
export function linkedFlavour() {
  const record = join(places()?.deps ?? '', 'wheels.json');
  return existsSync(record) ? JSON.parse(readFileSync(record, 'utf8')).flavour : undefined;
}

/** Whether the binding is in place, compiled from the present sources, and linked to this flavour of this cache. */
export function bindingReady(flavour) {
  const at = places();
  if (!at || !existsSync(at.binding) || !existsSync(at.key) || !existsSync(at.deps)) return false;
  return readFileSync(at.key, 'utf8') === bindingKey(at) && linkTarget(at.deps) === tensorflowDir(flavour);
}

/** Whether the cache holds a binding for the present sources, so that no compiler is needed. */
export function bindingCached() {
  const at = places();
  return at !== undefined && existsSync(cachedBinding(bindingKey(at)));
}

/** Links tfjs-node-gpu to a flavour of TensorFlow and gives it a binding, compiled unless the cache has it. */
export async function installBinding(flavour) {
  const at = places();
  const key = bindingKey(at);
  const cached = cachedBinding(key);
  const compile = !existsSync(cached);
  await withStaging(at.dir, async (staging) => {
    await replaceLink(tensorflowDir(flavour), at.deps, staging);
    if (compile) await compileBinding(at, cached);
    await replaceFile(cached, at.binding, staging);
    await writeFile(join(staging, 'key'), key);
    await rename(join(staging, 'key'), at.key);
  });
  return `${compile ? 'compiled' : 'taken from the cache'}, linked to TensorFlow ${tensorflowVersion} (${flavour})`;
}

const linkTarget = (path) => {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
};

/** Node-API and TensorFlow's C API are stable: one binary serves all versions of Node and both flavours of one version. */
function bindingKey({ sources }) {
  const hash = createHash('sha256').update([tensorflowVersion, glibcVersion(), ...FLAGS, ...LINKING].join('\n'));
  const files = readdirSync(sources).sort();
  for (const file of [...files.map((name) => join(sources, name)), LOADER]) hash.update(readFileSync(file));
  return hash.digest('hex').slice(0, 16);
}

const cachedBinding = (key) => join(cacheDir, 'bindings', key, 'tfjs_binding.node');

async function compileBinding({ sources }, output) {
  say('binding: compiling');
  await withStaging(cacheDir, async (staging) => {
    const draft = join(staging, basename(output));
    const tensorflow = join(dirname(sources), 'deps/include');
    const includes = [sources, join(packageDir('node-api-headers'), 'include'), tensorflow];
    const result = await run('g++', [
      ...FLAGS,
      ...includes.flatMap((dir) => ['-I', dir]),
      ...SOURCES.map((name) => join(sources, name)),
      LOADER,
      ...LINKING,
      '-o',
      draft,
    ]);
    if (result.code !== 0)
      throw new SetupError(`g++ could not compile the TensorFlow binding:\n${lastWords(result, 30)}`);
    makeDir(dirname(output));
    await rename(draft, output);
  });
}

async function replaceLink(target, path, staging) {
  const draft = join(staging, 'link');
  await symlink(target, draft);
  // A link is replaced in one step; a folder, such as tfjs-node-gpu's own installer leaves, must go first.
  if (linkTarget(path) === undefined && existsSync(path)) await rename(path, join(staging, 'replaced'));
  await rename(draft, path);
}

async function replaceFile(source, path, staging) {
  const draft = join(staging, basename(path));
  makeDir(dirname(path));
  await copyFile(source, draft);
  await rename(draft, path);
}
