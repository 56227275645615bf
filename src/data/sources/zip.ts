import { open } from 'node:fs/promises';
import { posix } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { crc32 } from 'node:zlib';
import { type Entry, openPromise, type ZipFile } from 'yauzl';
import { messageOf, UserError } from '../../base/errors.js';
import { type ImageFiles, MAX_FILE_BYTES } from './image_files.js';

/** A zip whose entries are read on demand, in any order and number at once; nothing is unpacked to disk. */
export interface ZipArchive {
  /** By full name in the zip; folders and macOS's resource forks left out. */
  entries: ReadonlyMap<string, Entry>;
  /** Bytes of an entry. @throws Error when it is damaged, encrypted or larger than `maxBytes` */
  read(name: string, maxBytes: number): Promise<Buffer>;
  close(): void;
}

/** Whether the file begins as a zip does, empty ones included. */
export async function isZip(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer: magic } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return ['PK\x03\x04', 'PK\x05\x06'].includes(magic.toString('latin1'));
  } finally {
    await file.close();
  }
}

/** @throws UserError when the zip is damaged, or an entry's name leads out of it */
export async function openZip(path: string): Promise<ZipArchive> {
  let zip: ZipFile | undefined;
  const entries = new Map<string, Entry>();
  try {
    zip = await openPromise(path, { autoClose: false });
    for await (const entry of zip.eachEntry()) {
      if (!entry.fileName.endsWith('/') && !entry.fileName.startsWith('__MACOSX/')) entries.set(entry.fileName, entry);
    }
  } catch (error) {
    zip?.close();
    throw new UserError({ where: path, expected: 'a sound zip', reason: messageOf(error) }, { cause: error });
  }
  const archive = zip;
  return {
    entries,
    async read(name, maxBytes) {
      const entry = entries.get(name) as Entry;
      if (entry.uncompressedSize > maxBytes) throw new Error(`the file has ${entry.uncompressedSize} bytes`);
      const bytes = await buffer(await archive.openReadStreamPromise(entry));
      if (crc32(bytes) !== entry.crc32) throw new Error('wrong CRC-32 in the zip');
      return bytes;
    },
    close: () => archive.close(),
  };
}

/**
 * Images of a zip. Zips mostly hold one folder (`val2017/…`) that file names of annotations leave out: a folder that
 * all entries lie in is left out of the names.
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

/** The folder, with a slash behind, that all names begin with. */
function commonFolder(names: readonly string[]): string {
  const [first = ''] = names;
  const end = first.indexOf('/') + 1;
  const folder = first.slice(0, end);
  if (end === 0 || !names.every((name) => name.startsWith(folder))) return '';
  return folder + commonFolder(names.map((name) => name.slice(end)));
}
