import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { messageOf, UserError } from './errors.js';

/** Errors of a disk that takes no more: full, over quota, or over the largest file allowed. */
const NO_SPACE = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

let written = 0;

/**
 * Writes through a temporary file and a rename: readers see the old file or the new one, never half of it.
 * Not write-file-atomic: it takes a short write, the first sign of a full disk, for a whole one.
 */
export async function writeAtomic(path: string, data: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${process.pid}-${written++}.tmp`;
  try {
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw explainWriteError(error, path);
  }
}

/** A full disk as a UserError; any other error as it is. */
export function explainWriteError(error: unknown, path: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (!NO_SPACE.has(code ?? '')) return error;
  return new UserError(
    {
      where: path,
      expected: 'free disk space',
      received: code,
      hint: 'What was there before is untouched; free some space and run again.',
    },
    { cause: error },
  );
}

export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeAtomic(path, `${JSON.stringify(value, null, 2)}\n`);
}

/** Reads a text or JSON file the user named; a missing or unreadable one is a UserError. */
export async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new UserError(
      { where: path, expected: 'a readable file', received: (error as NodeJS.ErrnoException).code },
      { cause: error },
    );
  }
}

export async function readJson<T = unknown>(path: string): Promise<T> {
  const text = await readText(path);
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    throw new UserError({ where: path, expected: 'valid JSON', received: messageOf(error) }, { cause: error });
  }
}

export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** SHA-256 of a file, streamed. */
export async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
