import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** Folder of this package: a clone, or the package installed in a project's node_modules. */
export const root = resolve(import.meta.dirname, '../..');

/** npm never packs the lock file, so it tells a clone from an installed package. */
export const isClone = existsSync(join(root, 'package-lock.json'));

/** Folder outside the clone that keeps TensorFlow and the compiled binding for every clone of this user. */
export const cacheDir = resolve(
  process.env.YOLOX_CACHE || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'yolox-node'),
);

/** Work in progress inside the clone; on the clone's file system, so that renames out of it are atomic. */
export const workDir = join(root, '.setup');

/** Folder of an installed dependency, hoisted or not; undefined while it is not installed. */
export function packageDir(name) {
  const file = createRequire(join(root, 'package.json'))
    .resolve.paths(name)
    .map((dir) => join(dir, name, 'package.json'));
  const found = file.find((path) => existsSync(path));
  return found && dirname(found);
}
