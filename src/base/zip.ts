import { buffer } from 'node:stream/consumers';
import { crc32 } from 'node:zlib';
import { type Entry, fromBufferPromise, openPromise, type ZipFile } from 'yauzl';
import { messageOf, UserError } from './errors.js';

/** A zip whose entries are read on demand, in any order and number at once; nothing is unpacked to disk. */
export interface ZipArchive {
  /** By full name in the zip; folders and macOS's resource forks left out. */
  entries: ReadonlyMap<string, Entry>;
  /**
   * Reads an entry.
   *
   * @throws Error when there is none, or it is damaged, encrypted or larger than `maxBytes`
   */
  read(name: string, maxBytes?: number): Promise<Buffer>;
  close(): void;
}

/**
 * Opens a zip.
 *
 * @param source path of the file, or its bytes
 * @param where name of the file, for errors
 * @throws UserError when the zip is damaged, or an entry's name leads out of it
 */
export async function openZip(source: string | Buffer, where = String(source)): Promise<ZipArchive> {
  let zip: ZipFile | undefined;
  const entries = new Map<string, Entry>();
  try {
    zip =
      typeof source === 'string' ? await openPromise(source, { autoClose: false }) : await fromBufferPromise(source);
    for await (const entry of zip.eachEntry()) {
      if (!entry.fileName.endsWith('/') && !entry.fileName.startsWith('__MACOSX/')) entries.set(entry.fileName, entry);
    }
  } catch (error) {
    zip?.close();
    throw new UserError({ where, expected: 'a valid zip', reason: messageOf(error) }, { cause: error });
  }
  const archive = zip;
  return {
    entries,
    async read(name, maxBytes = Number.POSITIVE_INFINITY) {
      const entry = entries.get(name);
      if (entry === undefined) throw new Error(`an archive without ${name}`);
      if (entry.uncompressedSize > maxBytes) throw new Error(`the file has ${entry.uncompressedSize} bytes`);
      const bytes = await buffer(await archive.openReadStreamPromise(entry));
      // Torch can be told to leave the checksum out; it is 0 then.
      if (entry.crc32 !== 0 && crc32(bytes) !== entry.crc32) throw new Error(`wrong CRC-32 in the zip: ${name}`);
      return bytes;
    },
    close: () => archive.close(),
  };
}
