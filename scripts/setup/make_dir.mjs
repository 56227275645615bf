import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { SetupError } from './console.mjs';

/**
 * Makes a folder and those above it; one that is there is as well. Not mkdir's `recursive`: Node tries for ever where
 * the system says "no such folder" of what it does not let be made, as in /proc.
 */
export function makeDir(path) {
  if (tryMakeDir(path)) return;
  makeDir(dirname(path));
  if (!tryMakeDir(path)) throw refused(path, 'ENOENT');
}

/** Whether the folder is there now; false when the one above it is missing. */
function tryMakeDir(path) {
  try {
    mkdirSync(path);
    return true;
  } catch ({ code }) {
    if (isFolder(path)) return true;
    if (code === 'ENOENT') return false;
    throw refused(path, code);
  }
}

function isFolder(path) {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function refused(path, code) {
  return new SetupError(
    `${path}: expected a folder that can be created and written to, received ${code}. ` +
      'Set YOLOX_CACHE to a folder of your own, or mend the rights of this one.',
  );
}
