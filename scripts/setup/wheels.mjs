import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { lastWords, run } from './command.mjs';
import { megabytes, SetupError, say, startMeter } from './console.mjs';
import { makeDir } from './make_dir.mjs';
import { cacheDir } from './paths.mjs';
import { withStaging } from './staging.mjs';

// A wheel is described by {name, version, file, sha256, size, unpacked, extract, links?}: where it comes from is pip's
// business, what it contains is fixed by its SHA-256; `extract` says which of its files go where under the folder.

const DOWNLOAD_TRIES = 3;

/** Record of what is completely in a folder, {…facts, wheels: {name: sha256}}; written after each wheel. */
const recordFile = (dir) => join(dir, 'wheels.json');

function wheelsInPlace(dir) {
  const file = recordFile(dir);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).wheels : {};
}

/** The wheels that are not unpacked in a folder yet. */
export function missingWheels(dir, wheels) {
  const done = wheelsInPlace(dir);
  return wheels.filter(({ name, sha256 }) => done[name] !== sha256);
}

/** Disk space needed to fetch and unpack wheels one after the other: pip has two copies of a wheel for a moment. */
export function bytesNeeded(wheels) {
  const toFetch = wheels.filter((wheel) => !existsSync(keptWheel(wheel)));
  const unpacked = wheels.reduce((sum, wheel) => sum + wheel.unpacked, 0);
  return unpacked + 2 * Math.max(0, ...toFetch.map(({ size }) => size));
}

/** Where a fetched wheel waits until it is unpacked. */
const keptWheel = ({ file }) => join(cacheDir, 'downloads', file);

/** Fetches, verifies and unpacks the missing wheels of a folder; each one is complete in place or not there at all. */
export async function installWheels(dir, wheels, facts = {}) {
  const missing = missingWheels(dir, wheels);
  for (const wheel of missing) {
    await withStaging(cacheDir, async (staging) => {
      const file = await fetchWheel(wheel, staging);
      await unpack(wheel, file, staging);
      await moveIntoPlace(wheel, staging, dir);
      await record(dir, facts, wheel, staging);
      await rm(file);
    });
  }
  return missing.length;
}

/** Path of a verified wheel: one that an interrupted set-up left, or fetched by pip, which checks its SHA-256. */
async function fetchWheel(wheel, staging) {
  const kept = keptWheel(wheel);
  if ((await sha256File(kept)) === wheel.sha256) return kept;
  await download(wheel, staging);
  makeDir(dirname(kept));
  await rename(join(staging, wheel.file), kept);
  return kept;
}

async function sha256File(path) {
  if (!existsSync(path)) return undefined;
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

async function download({ name, version, file, sha256, size }, staging) {
  const requirements = join(staging, 'requirements.txt');
  await writeFile(requirements, `${name}==${version} --hash=sha256:${sha256}\n`);
  say(`wheels: fetching ${name} ${version} (${megabytes(size)} MB)`);
  const platform = file
    .replace(/\.whl$/, '')
    .split('-')
    .at(-1)
    .split('.')
    .at(0);
  const args = ['-m', 'pip', 'download', '--require-hashes', '-r', requirements, '-d', staging, '--no-deps'];
  // Without these pip would look for a wheel of the Python that runs it, which may be older or newer than any there is.
  args.push('--only-binary=:all:', '--python-version', '3.11', '--implementation', 'cp', '--platform', platform);
  // pip's own cache would keep a second copy of every wheel, and some versions load the whole file into memory for it.
  args.push('--no-cache-dir', '--disable-pip-version-check', '--no-input', '--progress-bar', 'off');
  const env = { ...process.env, TMPDIR: staging, PIP_REQUIRE_VIRTUALENV: '0' };
  for (let attempt = 1; ; attempt++) {
    const meter = startMeter(name, size);
    const watch = setInterval(async () => meter.update(Math.min(size, await folderBytes(staging))), 500);
    const result = await run('python3', args, { env });
    clearInterval(watch);
    meter.stop();
    if (result.code === 0) return;
    if (attempt === DOWNLOAD_TRIES || /DO NOT MATCH|No matching distribution/i.test(result.stderr)) {
      throw new SetupError(
        `pip could not fetch ${name} ${version}; check the network and pip's settings (python3 -m pip config list), ` +
          `then run again:\n${lastWords(result)}`,
      );
    }
    say(`wheels: fetching failed, trying again (${attempt + 1} of ${DOWNLOAD_TRIES})`);
  }
}

async function unpack({ name, unpacked, extract }, file, staging) {
  say(`wheels: unpacking ${name} (${megabytes(unpacked)} MB)`);
  const meter = startMeter(name, unpacked);
  const script = join(import.meta.dirname, 'extract.py');
  const result = await run('python3', [script, file, staging, JSON.stringify(extract)], {
    onLine: (line) => meter.update(Number(line)),
  });
  meter.stop();
  if (result.code !== 0) throw new SetupError(`${file}: unpacking failed; run again:\n${lastWords(result)}`);
}

/**
 * TensorFlow opens CUDA's libraries by name; its RUNPATH leads from lib to nvidia/<package>/lib beside it.
 * The folder of cuSOLVER is missing there in 2.21, so a link puts it into one that is searched and otherwise empty;
 * at the same depth, because cuSOLVER finds its own neighbours relative to where it was opened.
 */
async function moveIntoPlace({ extract, links = {} }, staging, target) {
  for (const path of Object.values(extract)) {
    const place = join(target, path);
    makeDir(dirname(place));
    await rm(place, { recursive: true, force: true });
    await rename(join(staging, path), place);
  }
  for (const [path, destination] of Object.entries(links)) {
    const place = join(target, path);
    makeDir(dirname(place));
    await rm(place, { force: true });
    await symlink(destination, place);
  }
}

async function record(dir, facts, { name, sha256 }, staging) {
  const draft = join(staging, basename(recordFile(dir)));
  const wheels = { ...wheelsInPlace(dir), [name]: sha256 };
  await writeFile(draft, JSON.stringify({ ...facts, wheels }, null, 2));
  await rename(draft, recordFile(dir));
}

async function folderBytes(dir) {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true }).catch(() => []);
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      stat(join(entry.parentPath, entry.name)).then(
        ({ size }) => size,
        () => 0,
      ),
    );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
