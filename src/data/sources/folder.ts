import { readdir, readFile, stat } from 'node:fs/promises';
import { join, posix, relative } from 'node:path';
import { explainFileError } from '../../base/file_errors.js';
import { type ImageFiles, MAX_FILE_BYTES } from './image_files.js';

/** Opens the images of a folder, named relative to it. @throws UserError if it cannot be listed */
export async function openFolder(root: string): Promise<ImageFiles> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch((error) => {
    throw explainFileError(error, root);
  });
  const names = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
  const known = new Set(names);
  return {
    where: root,
    names,
    async find(fileName) {
      const name = posix.normalize(fileName);
      if (known.has(name)) return name;
      // A file behind a link to a folder is not listed.
      const info = await stat(join(root, name)).catch(() => undefined);
      return info?.isFile() ? name : undefined;
    },
    async read(name) {
      const path = join(root, name);
      const info = await stat(path).catch(explain(path));
      // Reading a pipe would block forever.
      if (!info.isFile()) throw new Error('it is a pipe, a folder or a device, not a file');
      const { size } = info;
      if (size > MAX_FILE_BYTES) throw new Error(`the file has ${size} bytes`);
      return readFile(path).catch(explain(path));
    },
    close() {},
  };
}

function explain(path: string): (error: unknown) => never {
  return (error) => {
    throw explainFileError(error, path);
  };
}
