import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isPictureName, MAX_FILE_BYTES, type PictureFiles } from './picture_files.js';

/** Pictures of a folder, named relative to it; handles are full paths. */
export function openFolder(root: string): PictureFiles {
  return {
    async find(fileName) {
      const path = join(root, fileName);
      const info = await stat(path).catch(() => undefined);
      return info?.isFile() ? path : undefined;
    },
    async read(path) {
      const { size } = await stat(path);
      if (size > MAX_FILE_BYTES) throw new Error(`the file has ${size} bytes`);
      return readFile(path);
    },
    async countOthers(found) {
      const names = await readdir(root, { recursive: true });
      return names.filter((name) => isPictureName(name) && !found.has(join(root, name))).length;
    },
    close() {},
  };
}
