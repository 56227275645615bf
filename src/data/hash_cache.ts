import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { UserError } from '../base/errors.js';
import { explainFileError } from '../base/file_errors.js';
import { makeDir, sha256, writeAtomic } from '../base/files.js';

/** Identity of a file's content without reading it: device, inode, size, times of content and inode. */
type Key = string;

interface Entry {
  sha256: string;
  /** Day of the last use, since 1970. */
  used: number;
}

const DAY_MS = 86_400_000;

/** Entries not used for this many days are dropped. */
const KEPT_DAYS = 90;

/**
 * Milliseconds a file must have been unchanged before it was read. A file can change twice within one clock tick, and
 * the second change would not show; ticks are up to 2 s (FAT), 10 ms on Linux's own file systems.
 */
const SETTLED_MS = 2500;

/** Most attempts to read a file that keeps changing. */
const TRIES = 5;

const CHUNK_BYTES = 1 << 20;

/**
 * Caches the SHA-256 of files by their `stat` between runs, so that untouched files are not read again. Programs cannot
 * set inode times (ctime), so a file that was replaced and given its old time is read again. Losing the cache only
 * costs time.
 */
export class HashCache {
  readonly #path: string;
  readonly #entries: Map<Key, Entry>;
  readonly #settledMs: number;
  #changed = false;
  /** Files read since the cache was opened. */
  reads = 0;

  private constructor(path: string, entries: Map<Key, Entry>, settledMs: number) {
    this.#path = path;
    this.#entries = entries;
    this.#settledMs = settledMs;
  }

  /** Opens the cache in a file; a missing or damaged one counts as empty. */
  static async open(path: string, settledMs = SETTLED_MS): Promise<HashCache> {
    const text = await readFile(path, 'utf8').catch(() => '');
    const end = text.indexOf('\n');
    const body = text.slice(end + 1);
    const sound = end > 0 && sha256(body) === text.slice(0, end);
    const rows: [Key, string, number][] = sound ? JSON.parse(body) : [];
    return new HashCache(path, new Map(rows.map(([key, hash, used]) => [key, { sha256: hash, used }])), settledMs);
  }

  /**
   * Returns the SHA-256 of a file's content. @throws UserError if it is not a file, cannot be read, or keeps changing
   */
  async hash(path: string): Promise<string> {
    try {
      const found = await stat(path, { bigint: true });
      const known = this.#entries.get(keyOf(found));
      if (!known) return await this.#read(path);
      const day = today();
      if (known.used !== day) this.#changed = true;
      known.used = day;
      return known.sha256;
    } catch (error) {
      throw explainFileError(error, path);
    }
  }

  async #read(path: string): Promise<string> {
    for (let attempt = 0; attempt < TRIES; attempt++) {
      // Reading a pipe would block, and it would be empty the next time.
      if (!(await stat(path)).isFile())
        throw new UserError({ where: path, expected: 'a file', hint: 'It is not a regular file.' });
      const file = await open(path);
      try {
        const before = await file.stat({ bigint: true });
        const started = Date.now();
        const digest = await hashOf(file, Number(before.size));
        this.reads++;
        const key = keyOf(before);
        if (key !== keyOf(await file.stat({ bigint: true }))) continue;
        if (lastChange(before) < started - this.#settledMs) {
          this.#entries.set(key, { sha256: digest, used: today() });
          this.#changed = true;
        }
        return digest;
      } finally {
        await file.close();
      }
    }
    const hint = 'Wait until the program that writes it is done, and run again.';
    throw new UserError({ where: path, expected: 'a file that does not change while it is read', hint });
  }

  /** Writes the cache if it has changed. */
  async save(): Promise<void> {
    if (!this.#changed) return;
    const oldest = today() - KEPT_DAYS;
    const rows = [...this.#entries].filter(([, { used }]) => used >= oldest);
    const body = JSON.stringify(rows.map(([key, { sha256: hash, used }]) => [key, hash, used]));
    await makeDir(dirname(this.#path));
    await writeAtomic(this.#path, `${sha256(body)}\n${body}`);
    this.#changed = false;
  }
}

async function hashOf(file: FileHandle, size: number): Promise<string> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(Math.min(size + 1, CHUNK_BYTES));
  for (let position = 0; ; ) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) return hash.digest('hex');
    hash.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
}

const today = (): number => Math.floor(Date.now() / DAY_MS);

function keyOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): Key {
  return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
}

function lastChange({ mtimeMs, ctimeMs }: BigIntStats): number {
  return Math.max(Number(mtimeMs), Number(ctimeMs));
}
