import { existsSync, readFileSync } from 'node:fs';
import { copyFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { lastWords, run } from './command.mjs';
import { SetupError, say } from './console.mjs';
import { root, workDir } from './paths.mjs';
import { withStaging } from './staging.mjs';

/** Room for node_modules, in bytes. */
export const PACKAGES_BYTES = 1_000_000_000;

/** Whether node_modules holds what package-lock.json asks for on this platform. */
export function packagesReady() {
  // npm writes this list last, so an interrupted install has none.
  const installed = readPackages(join(root, 'node_modules/.package-lock.json'));
  const wanted = readPackages(join(root, 'package-lock.json'));
  return Object.entries(wanted).every(
    ([path, entry]) => path === '' || !isForHere(entry) || installed[path]?.integrity === entry.integrity,
  );
}

const readPackages = (file) => (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).packages : {});

function isForHere({ optional, os, cpu, libc }) {
  if (optional && !os && !cpu) return false;
  return (os?.includes('linux') ?? true) && (cpu?.includes('x64') ?? true) && (libc?.includes('glibc') ?? true);
}

/** Installs the packages of package-lock.json beside node_modules and puts them in its place when complete. */
export async function installPackages() {
  const count = Object.values(readPackages(join(root, 'package-lock.json'))).filter(isForHere).length - 1;
  say(`packages: installing ${count} from package-lock.json`);
  await withStaging(workDir, async (dir) => {
    for (const file of ['package.json', 'package-lock.json', '.npmrc'])
      await copyFile(join(root, file), join(dir, file));
    const result = await run('npm', ['ci', '--no-progress', '--loglevel=error'], { cwd: dir });
    if (result.code === 127) throw new SetupError('npm was not found. Install Node with its npm and run again.');
    if (result.code !== 0) {
      throw new SetupError(
        `npm ci failed; check the network and npm's settings, then run again:\n${lastWords(result)}`,
      );
    }
    const modules = join(root, 'node_modules');
    if (existsSync(modules)) await rename(modules, join(dir, 'replaced'));
    await rename(join(dir, 'node_modules'), modules);
  });
  await rm(workDir, { recursive: true, force: true });
  return `${count} installed`;
}
