import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { messageOf, UserError } from './errors.js';
import { explainFileError } from './file_errors.js';
import { decodeText } from './text.js';

/** Ending of files that are being written; one found without its writer can be removed. */
export const TEMPORARY = '.tmp';

/**
 * Writes through a temporary file and a rename: readers see the old file or the new one, never half of it.
 * Not write-file-atomic: it takes a short write, the first sign of a full disk, for a whole one.
 *
 * @throws UserError when the disk or the path does not take it
 */
export async function writeAtomic(path: string, data: string | Uint8Array): Promise<void> {
  const temporary = temporaryBeside(path);
  try {
    await refuseDevice(path);
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw explainFileError(error, path);
  }
}

/**
 * A rename would put a file in the place of a device, such as /dev/null, or of a pipe that a program waits at; reading a
 * pipe that nothing writes to would wait for ever.
 */
async function refuseDevice(path: string, hint = 'Name a file.'): Promise<void> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined || info.isFile() || info.isDirectory()) return;
  throw new UserError({ where: path, expected: 'a file', reason: 'it is a device, pipe or socket', hint });
}

/** The bytes of a file the user named. @throws UserError when it is missing, unreadable or no file */
export async function readBytes(path: string): Promise<Buffer> {
  await refuseDevice(path, 'Write what comes from it to a file, and name that.');
  try {
    return await readFile(path);
  } catch (error) {
    throw explainFileError(error, path);
  }
}

/** A free path in the folder of `path`; its name is short, as that of `path` may be as long as names can be. */
export function temporaryBeside(path: string): string {
  return join(dirname(path), `.${process.pid}-${randomBytes(6).toString('hex')}${TEMPORARY}`);
}

/**
 * Makes a folder and those above it; one that is there is as well. Not mkdir's `recursive`: Node tries for ever where
 * the system says "no such folder" of what it does not let be made, as in /proc.
 *
 * @throws UserError when a file is in the way or the folder cannot be made
 */
export async function makeDir(path: string): Promise<void> {
  try {
    if (!(await tryMakeDir(path))) {
      await makeDir(dirname(path));
      if (!(await tryMakeDir(path))) throw refusedBy(dirname(path), path);
    }
  } catch (error) {
    throw explainFileError(error, path);
  }
}

/** Whether the folder is there now; false when the one above it is missing. */
async function tryMakeDir(path: string): Promise<boolean> {
  try {
    await mkdir(path);
    return true;
  } catch (error) {
    // A read-only disk does not matter where the folder is there already.
    if ((await stat(path).catch(() => undefined))?.isDirectory()) return true;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

function refusedBy(parent: string, path: string): UserError {
  return new UserError({
    where: path,
    expected: 'a folder that can be made',
    received: 'ENOENT',
    hint: `${parent} takes no folders: choose another path.`,
  });
}

export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeAtomic(path, `${JSON.stringify(value, null, 2)}\n`);
}

/** Reads a text file the user named, as {@link decodeText} does; a missing or unreadable one is a UserError. */
export async function readText(path: string): Promise<string> {
  return decodeText(await readBytes(path), path);
}

export async function readJson<T = unknown>(path: string): Promise<T> {
  const text = await readText(path);
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    throw new UserError({ where: path, expected: 'valid JSON', reason: messageOf(error) }, { cause: error });
  }
}

/** The first bytes of a file, fewer where it is shorter; none where it cannot be read. */
export async function readHead(path: string, length: number): Promise<Buffer> {
  const info = await stat(path).catch(() => undefined);
  const file = info?.isFile() ? await open(path).catch(() => undefined) : undefined;
  try {
    const head = await file?.read(Buffer.alloc(length), 0, length, 0);
    return head ? head.buffer.subarray(0, head.bytesRead) : Buffer.alloc(0);
  } catch {
    return Buffer.alloc(0);
  } finally {
    await file?.close();
  }
}

export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** SHA-256 of a file, streamed. @throws UserError when it cannot be read */
export async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  } catch (error) {
    throw explainFileError(error, path);
  }
  return hash.digest('hex');
}
