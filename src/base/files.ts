import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { messageOf, UserError } from './errors.js';
import { explainFileError } from './file_errors.js';
import { decodeText } from './text.js';

/** Suffix of files being written; leftovers without a writer can be removed. */
export const TEMPORARY = '.tmp';

/**
 * Writes through a temporary file and a rename: readers see the old file or the new one, never half of it. Not
 * write-file-atomic: it treats a short write, the first sign of a full disk, as complete.
 *
 * @throws UserError if the disk is full or the path cannot be written
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
 * A rename would replace a device, such as /dev/null, or a pipe that a program reads. Reading a pipe without a writer
 * would wait forever.
 */
async function refuseDevice(path: string, hint = 'Name a file.'): Promise<void> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined || info.isFile() || info.isDirectory()) return;
  throw new UserError({ where: path, expected: 'a file', reason: 'it is a device, pipe or socket', hint });
}

/** Reads a file that the user named. @throws UserError if it is missing, unreadable or not a file */
export async function readBytes(path: string): Promise<Buffer> {
  await refuseDevice(path, 'Write what comes from it to a file, and name that.');
  try {
    return await readFile(path);
  } catch (error) {
    throw explainFileError(error, path);
  }
}

/**
 * An unused path in the folder of `path`, with a short name, because the name of `path` may already have the maximum
 * length.
 */
export function temporaryBeside(path: string): string {
  return join(dirname(path), `.${process.pid}-${randomBytes(6).toString('hex')}${TEMPORARY}`);
}

/**
 * Creates a folder and its parents; an existing folder is fine. Not mkdir's `recursive`: Node loops forever where the
 * system answers "no such folder" for folders that cannot be created, as in /proc.
 *
 * @throws UserError if a file is in the way or the folder cannot be created
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

/** Whether the folder exists now; false if its parent is missing. */
async function tryMakeDir(path: string): Promise<boolean> {
  try {
    await mkdir(path);
    return true;
  } catch (error) {
    // A read-only disk does not matter if the folder already exists.
    if ((await stat(path).catch(() => undefined))?.isDirectory()) return true;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

function refusedBy(parent: string, path: string): UserError {
  return new UserError({
    where: path,
    expected: 'a folder that can be created',
    received: 'ENOENT',
    hint: `${parent} takes no folders: choose another path.`,
  });
}

export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeAtomic(path, `${JSON.stringify(value, null, 2)}\n`);
}

/**
 * Reads a text file that the user named, with {@link decodeText}.
 * @throws UserError if it is missing or unreadable
 */
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

/** The first bytes of a file: fewer if it is shorter, none if it cannot be read. */
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

/** Computes the SHA-256 of a file as a stream. @throws UserError when it cannot be read */
export async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  } catch (error) {
    throw explainFileError(error, path);
  }
  return hash.digest('hex');
}
