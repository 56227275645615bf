import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join, relative } from 'node:path';
import { lastWords, run } from './command.mjs';
import { SetupError } from './console.mjs';
import { makeDir } from './make_dir.mjs';
import { cacheDir, root } from './paths.mjs';
import { withStaging } from './staging.mjs';

/** Where objects and programs are kept, each under the hash of everything it was made from. */
const dir = join(cacheDir, 'programs');
const UNUSED_DAYS = 14;

/** Where the quoted includes of our sources are looked for. */
const INCLUDES = ['src/kernels', 'test/native'].map((name) => join(root, name));

/**
 * Brings a program into the cache and returns its path.
 * `units` are {source, flags} or, for a source made up on the way, {text, flags}; `linking` are the last step's flags.
 */
export async function buildProgram(name, units, linking = []) {
  const compiler = (await run('g++', ['-dumpfullversion'])).stdout;
  return withStaging(cacheDir, async (staging) => {
    const objects = await inParallel(units.map((unit) => () => compile(unit, compiler, staging)));
    const key = digest(compiler, name, ...objects, ...linking);
    await sweep();
    return cached(`${key}-${name}`, staging, (draft) => gxx([...objects, ...linking, '-o', draft], name));
  });
}

/** Precompiles a header for units with these flags; returns what they give to -include. */
export async function precompileHeader(header, flags) {
  const compiler = (await run('g++', ['-dumpfullversion'])).stdout;
  const code = readFileSync(header, 'utf8');
  const key = digest(compiler, ...portable(flags), code, ...includedFiles(code).values());
  const args = ['-std=c++17', ...INCLUDES.flatMap((path) => ['-I', path]), ...flags, '-x', 'c++-header', header];
  const output = await withStaging(dir, (staging) =>
    cached(`${key}-${basename(header)}.gch`, staging, (draft) => gxx([...args, '-o', draft], header)),
  );
  return output.replace(/\.gch$/, '');
}

/** Removes what no build has used for a while. */
async function sweep() {
  for (const name of await readdir(dir).catch(() => [])) {
    const path = join(dir, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > UNUSED_DAYS * 86_400_000) await rm(path, { recursive: true, force: true });
  }
}

async function compile({ source, text, flags }, compiler, staging) {
  const preincluded = flags.filter((_flag, i) => flags[i - 1] === '-include').map((path) => `#include "${path}"\n`);
  const code = source ? readFileSync(source, 'utf8') : text;
  const name = source ? relative(root, source) : '';
  const included = includedFiles(preincluded.join('') + code).values();
  const key = digest(compiler, ...portable(flags), name, code, ...included);
  return cached(`${key}.o`, staging, async (draft) => {
    const input = source ?? `${draft}.cc`;
    if (text) await writeFile(input, text);
    const includes = INCLUDES.flatMap((path) => ['-I', path]);
    await gxx(['-std=c++17', ...includes, ...flags, '-c', input, '-o', draft], source ?? text);
  });
}

/** Flags without the clone's own path, so that clones share what they compile. */
const portable = (flags) => flags.map((flag) => flag.replaceAll(root, ''));

async function cached(name, staging, make) {
  const path = join(dir, name);
  if (existsSync(path)) {
    await utimes(path, new Date(), new Date());
    return path;
  }
  const draft = join(staging, name);
  await make(draft);
  makeDir(dir);
  await rename(draft, path);
  return path;
}

let runs = 0;

/** How many times this process ran g++; results taken from the cache do not count. */
export const compilations = () => runs;

async function gxx(args, what) {
  runs++;
  const result = await run('g++', args);
  if (result.code === 127) throw new SetupError('g++ was not found. On Debian or Ubuntu: sudo apt-get install -y g++');
  if (result.code !== 0) throw new SetupError(`g++ could not build ${what}:\n${lastWords(result, 40)}`);
}

/** Contents of our headers that a source includes, directly or indirectly, by path. */
function includedFiles(code, found = new Map()) {
  for (const [, name] of code.matchAll(/^\s*#\s*include "([^"]+)"/gm)) {
    const path = INCLUDES.map((folder) => join(folder, name)).find((path) => existsSync(path));
    if (!path || found.has(path)) continue;
    found.set(path, readFileSync(path, 'utf8'));
    includedFiles(found.get(path), found);
  }
  return found;
}

function digest(...parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex').slice(0, 24);
}

/** Runs jobs on all processors; results in the order of the jobs. */
export async function inParallel(jobs) {
  const results = [];
  const queue = jobs.entries();
  const worker = async () => {
    for (const [i, job] of queue) results[i] = await job();
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return results;
}
