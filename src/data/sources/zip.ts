import { open } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { crc32 } from 'node:zlib';
import { type Entry, openPromise, type ZipFile } from 'yauzl';
import { messageOf, UserError } from '../../base/errors.js';
import { isPictureName, MAX_FILE_BYTES, type PictureFiles } from './picture_files.js';

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
    throw new UserError({ where: path, expected: 'a sound zip', received: messageOf(error) }, { cause: error });
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
 * Pictures of a zip. Zips mostly hold a folder (`val2017/…`) that file names of annotations leave out, so a name
 * stands for the entry of that full name or else for the only one that ends in it.
 */
export async function openZipPictures(path: string): Promise<PictureFiles> {
  const zip = await openZip(path);
  const names = [...zip.entries.keys()];
  const byBase = new Map<string, string[]>();
  for (const name of names) byBase.set(baseName(name), [...(byBase.get(baseName(name)) ?? []), name]);
  return {
    async find(fileName) {
      if (zip.entries.has(fileName)) return fileName;
      const matches = byBase.get(baseName(fileName))?.filter((name) => name.endsWith(`/${fileName}`)) ?? [];
      return matches.length === 1 ? matches[0] : undefined;
    },
    read: (name) => zip.read(name, MAX_FILE_BYTES),
    countOthers: async (found) => names.filter((name) => isPictureName(name) && !found.has(name)).length,
    close: zip.close,
  };
}

function baseName(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}
