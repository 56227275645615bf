import { createWriteStream } from 'node:fs';
import { readFile, rename, rm, stat } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, UserError } from '../../base/errors.js';
import { explainFileError } from '../../base/file_errors.js';
import { sha256, sha256File, writeJson } from '../../base/files.js';
import { describeHolder, withLock } from '../../base/lock.js';
import { log, type Progress, startProgress } from '../../base/progress.js';
import { httpGet } from './http_get.js';
import { isUsable, type KeptOptions, type KeptRecord, versionOf } from './kept_download.js';

const ATTEMPTS = 6;
const MEGABYTE = 1e6;

export interface DownloadOptions extends KeptOptions {
  /** Expected SHA-256, lower-case hex; if absent, any content is accepted. */
  sha256?: string;
  /** Delay before the first retry, doubled each time. */
  retryMs?: number;
}

/** A finished download without further checks; undefined if there is none. */
export async function downloaded(url: string, dir: string): Promise<Download | undefined> {
  const path = join(dir, fileNameOf(url));
  const { sha256: hash } = (await readSidecar(path, url)) ?? {};
  return hash !== undefined && (await sizeOf(path)) > 0 ? { path, sha256: hash } : undefined;
}

export interface Download {
  path: string;
  sha256: string;
}

/** Record of a finished download, or of the version of a partial one. */
interface Sidecar extends KeptRecord {
  url: string;
  /** Strong ETag or Last-Modified, which tells the server the version that a Range continues. */
  validator?: string;
}

/** A failure for which a retry may help. */
class Transient extends Error {}

/**
 * Downloads a file into `dir` once. A finished download is reused unless it is damaged or the server has another
 * version; an interrupted one continues if the server still has the same version. The file appears under its name only
 * when complete and verified; `<file>.json` beside it records URL, size and SHA-256.
 *
 * @throws UserError if the server refuses, is unreachable, or sends content with another SHA-256
 */
export async function download(url: string, dir: string, options: DownloadOptions = {}): Promise<Download> {
  const path = join(dir, fileNameOf(url));
  return withLock(`${path}.lock`, () => downloadTo(path, url, options), {
    onWait: (holder) => log(`download ${url}: waits for ${describeHolder(holder)}, which downloads it`),
  });
}

async function downloadTo(path: string, url: string, options: DownloadOptions): Promise<Download> {
  const finished = await readSidecar(path, url);
  if (finished?.sha256 && (await isUsable(url, path, finished, options))) return { path, sha256: finished.sha256 };

  const part = `${path}.part`;
  await withRetries(url, part, options.retryMs ?? 1000);
  const hash = await sha256File(part);
  if (options.sha256 && hash !== options.sha256) {
    await rm(part, { force: true });
    await rm(`${part}.json`, { force: true });
    throw new UserError({
      where: url,
      expected: `a file with SHA-256 ${options.sha256}`,
      received: hash,
      hint: 'The download was deleted: fix the checksum in the configuration or the URL.',
    });
  }
  await rm(path, { force: true });
  const version = (await readSidecar(part, url))?.version;
  await writeJson(`${path}.json`, { url, version, bytes: await sizeOf(part), sha256: hash } satisfies Sidecar);
  await rename(part, path);
  await rm(`${part}.json`, { force: true });
  return { path, sha256: hash };
}

/** Retries with growing delays; an attempt that received bytes resets the count. */
async function withRetries(url: string, part: string, firstWaitMs: number): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const before = await sizeOf(part);
    try {
      await fetchInto(url, part);
      return;
    } catch (error) {
      if (!(error instanceof Transient)) throw error;
      if ((await sizeOf(part)) > before) attempt = 1;
      if (attempt >= ATTEMPTS) {
        throw new UserError(
          {
            where: url,
            expected: 'a server that answers',
            reason: error.message,
            hint: 'Run again to go on from here.',
          },
          { cause: error },
        );
      }
      const waitMs = firstWaitMs * 2 ** (attempt - 1);
      log(`download ${url}: ${error.message}; again in ${waitMs / 1000} s`);
      await sleep(waitMs);
    }
  }
}

/** Makes one request that appends the missing bytes to `part`, or starts it over. */
async function fetchInto(url: string, part: string): Promise<void> {
  const validator = (await readSidecar(part, url))?.validator;
  const offset = validator ? await sizeOf(part) : 0;
  // With compression, Range would not refer to the bytes on disk.
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (validator && offset > 0) Object.assign(headers, { range: `bytes=${offset}-`, 'if-range': validator });

  const response = await httpGet(url, headers).catch((error) => {
    throw new Transient(messageOf(error));
  });
  const status = response.statusCode as number;
  const range = response.headers['content-range'];
  if (status !== 200 && status !== 206) response.destroy();
  if (status === 416 && range === `bytes */${offset}`) return;
  if (status === 416 || (status === 206 && !range?.startsWith(`bytes ${offset}-`))) {
    response.destroy();
    await rm(part, { force: true });
    throw new Transient(`another range came (${range})`);
  }
  if (status !== 200 && status !== 206) {
    const answer = `${status} ${response.statusMessage}`.trim();
    if (status >= 500 || status === 429) throw new Transient(answer);
    throw new UserError({ where: url, expected: 'a file to download', received: answer });
  }

  const resumed = status === 206;
  const start = resumed ? offset : 0;
  if (!resumed) {
    // Removes the bytes before writing the validator, so that a new validator never goes with old bytes.
    await rm(part, { force: true });
    await writeJson(`${part}.json`, {
      url,
      validator: validatorOf(response),
      version: versionOf(response),
    } satisfies Sidecar);
  }
  const length = Number(response.headers['content-length'] ?? Number.NaN);
  const progress = startProgress(
    `download ${basename(part, '.part')} (MB)`,
    Math.ceil((start + length || 0) / MEGABYTE),
  );
  try {
    await pipeline(response, counting(progress, start), createWriteStream(part, { flags: resumed ? 'a' : 'w' }));
  } catch (error) {
    const explained = explainFileError(error, part);
    throw explained instanceof UserError ? explained : new Transient(messageOf(error));
  } finally {
    progress.stop();
  }
  const got = (await sizeOf(part)) - start;
  if (Number.isFinite(length) && got !== length) throw new Transient(`${got} of ${length} bytes came`);
}

function counting(progress: Progress, start: number) {
  return async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let bytes = start;
    for await (const chunk of chunks) {
      bytes += chunk.length;
      progress.update(Math.floor(bytes / MEGABYTE));
      yield chunk;
    }
  };
}

/** If-Range requires a strong ETag or a date; without either, an interrupted download starts over. */
function validatorOf({ headers }: IncomingMessage): string | undefined {
  const { etag, 'last-modified': modified } = headers;
  return etag && !etag.startsWith('W/') ? etag : modified;
}

/** The file name from the URL, made unique by a hash. */
function fileNameOf(url: string): string {
  const name = basename(new URL(url).pathname)
    .replace(/[^\w.-]/g, '_')
    .slice(-80);
  return `${sha256(url).slice(0, 16)}-${name || 'download'}`;
}

/** Reads the record beside a file, if it belongs to this URL. */
async function readSidecar(path: string, url: string): Promise<Sidecar | undefined> {
  try {
    const sidecar = JSON.parse(await readFile(`${path}.json`, 'utf8')) as Sidecar;
    return sidecar.url === url ? sidecar : undefined;
  } catch {
    return undefined;
  }
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}
