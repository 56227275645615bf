import { stat } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { messageOf } from '../../base/errors.js';
import { sha256File } from '../../base/files.js';
import { log } from '../../base/progress.js';
import { httpGet } from './http_get.js';

/** Milliseconds for a server to say whether a file has changed. */
const TIMEOUT_MS = 10_000;

/** The record of a finished download. */
export interface KeptRecord {
  bytes?: number;
  sha256?: string;
  /** The server's name for this version of the file: ETag or Last-Modified. */
  version?: string;
}

export interface KeptOptions {
  /** The required SHA-256, with which the server need not be asked. */
  sha256?: string;
  hash?: (path: string) => Promise<string>;
}

/** URLs already checked in this process. */
const asked = new Set<string>();

/**
 * Whether a finished download can be reused: it is complete, matches its record, and the server has no other version.
 * If the server does not answer or names no version, it is reused with a message.
 */
export async function isUsable(
  url: string,
  path: string,
  record: KeptRecord | undefined,
  { sha256, hash = sha256File }: KeptOptions,
): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (!found || record?.sha256 === undefined) return false;
  if (sha256 !== undefined && sha256 !== record.sha256) return false;
  if (found.size !== record.bytes || (await hash(path)) !== record.sha256) {
    log(`${path}: damaged since it was downloaded; downloading it again`);
    return false;
  }
  if (sha256 !== undefined || asked.has(url)) return true;
  asked.add(url);
  return !(await hasChanged(url, record));
}

async function hasChanged(url: string, { version, bytes }: KeptRecord): Promise<boolean> {
  try {
    const headers: Record<string, string> = { 'accept-encoding': 'identity' };
    if (version !== undefined) headers[isDate(version) ? 'if-modified-since' : 'if-none-match'] = version;
    // Not HEAD, which URLs signed for GET refuse.
    const response = await httpGet(url, headers, TIMEOUT_MS);
    response.destroy();
    const { statusCode, statusMessage } = response;
    if (statusCode === 304) return false;
    if (statusCode !== 200) throw new Error(`${statusCode} ${statusMessage}`.trim());
    const [now, length] = [versionOf(response), response.headers['content-length']];
    const known = version !== undefined && now !== undefined;
    const changed = known ? now !== version : length !== undefined && Number(length) !== bytes;
    if (changed) log(`${url}: changed since it was downloaded (${version} → ${now}); downloading it again`);
    else if (!known) log(`${url}: the server gives no version; using the earlier download, set a SHA-256 to be sure`);
    return changed;
  } catch (error) {
    log(`${url}: using the earlier download, because checking for changes failed: ${messageOf(error)}`);
    return false;
  }
}

/** The server's name for the version of a file it sends. */
export function versionOf({ headers }: IncomingMessage): string | undefined {
  return headers.etag ?? headers['last-modified'];
}

const isDate = (version: string): boolean => !/^(W\/)?"/.test(version) && !Number.isNaN(Date.parse(version));
