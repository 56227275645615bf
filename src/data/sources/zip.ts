import { open } from 'node:fs/promises';
import { posix } from 'node:path';
import { openZip } from '../../base/zip.js';
import { type ImageFiles, MAX_FILE_BYTES } from './image_files.js';

/** Whether the file starts like a zip, including empty ones. */
export async function isZip(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer: magic } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return ['PK\x03\x04', 'PK\x05\x06'].includes(magic.toString('latin1'));
  } finally {
    await file.close();
  }
}

/**
 * Opens the images of a zip. Most zips contain one folder (`val2017/…`) that file names in annotations omit, so a
 * folder common to all entries is removed from the names.
 */
export async function openZipImages(path: string): Promise<ImageFiles> {
  const zip = await openZip(path);
  const root = commonFolder([...zip.entries.keys()]);
  const inside = (entry: string): string => entry.slice(root.length);
  return {
    where: path,
    names: [...zip.entries.keys()].map(inside),
    async find(fileName) {
      const name = posix.normalize(fileName);
      return [root + name, name].filter((entry) => zip.entries.has(entry)).map(inside)[0];
    },
    read: (name) => zip.read(root + name, MAX_FILE_BYTES),
    close: zip.close,
  };
}

/** The folder common to all names, with a trailing slash. */
function commonFolder(names: readonly string[]): string {
  const [first = ''] = names;
  const end = first.indexOf('/') + 1;
  const folder = first.slice(0, end);
  if (end === 0 || !names.every((name) => name.startsWith(folder))) return '';
  return folder + commonFolder(names.map((name) => name.slice(end)));
}
