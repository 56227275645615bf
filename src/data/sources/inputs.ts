import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { UserError } from '../../base/errors.js';
import { explainFileError } from '../../base/file_errors.js';
import { sha256File } from '../../base/files.js';
import { download, downloaded } from './download.js';
import { openFolder } from './folder.js';
import { type ImageFiles, isImageName } from './image_files.js';
import { isZip, openZipImages } from './zip.js';

/** An input on this machine. */
export interface LocalInput {
  path: string;
  /** Entry of a zip, given after `#`. */
  entry?: string;
  /** SHA-256 of the file; none for a folder. */
  sha256?: string;
  /** Whether it is a URL that has not been downloaded yet. */
  absent?: boolean;
}

export interface BringOptions {
  /** Configuration key, for messages. */
  field: string;
  /** Folder of downloads. */
  downloads: string;
  /** Required SHA-256 of the file. */
  expected?: string | null;
  /** Computes the SHA-256 of a local file. */
  hash?: (path: string) => Promise<string>;
  /** If false, downloads nothing; the SHA-256 of a file not yet downloaded then says so. */
  fetch?: boolean;
}

/**
 * Finds the file or folder that the configuration names, downloading URLs.
 *
 * @param location path or http(s) URL; a following `#entry` names a file inside a zip
 * @throws UserError if it does not exist or has another SHA-256
 */
export async function bringHere(location: string, options: BringOptions): Promise<LocalInput> {
  const expected = options.expected ?? undefined;
  const { base, entry } = await splitEntry(location);
  if (isUrl(base)) {
    const { downloads, hash, fetch = true } = options;
    const none = { path: base, sha256: 'not downloaded yet', absent: true };
    const found = fetch ? download(base, downloads, { sha256: expected, hash }) : downloaded(base, downloads);
    return { ...((await found) ?? none), entry };
  }

  const { field } = options;
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(base)) {
    const hint = 'Download it, and give its path.';
    throw new UserError({ where: base, field, expected: 'a path, or a URL of http or https', hint });
  }
  const info = await statInput(base, field);
  const sha256 = info.isFile() ? await (options.hash ?? sha256File)(base) : undefined;
  if (expected && sha256 !== expected) {
    throw new UserError({
      where: base,
      field,
      expected: `a file with SHA-256 ${expected}`,
      received: sha256 ?? 'a folder',
    });
  }
  return { path: base, entry, sha256 };
}

/** Stats a path that the user named. @throws UserError if it is not an accessible file or folder */
export async function statInput(path: string, field?: string): Promise<Stats> {
  const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw explainFileError(error, path);
    const quoted = path.startsWith('~') ? ' The shell replaces ~ only where it is not quoted.' : '';
    const hint = `Fix the path, which is relative to ${process.cwd()}.${quoted}`;
    throw new UserError({ where: path, field, expected: 'an existing path or a URL', hint }, { cause: error });
  });
  if (info.isFile() || info.isDirectory()) return info;
  // Inputs are read more than once, a pipe only once.
  const hint = 'Write what comes from it to a file, and name that.';
  throw new UserError({ where: path, field, expected: 'a file or a folder', received: 'a pipe or a device', hint });
}

/** Opens a folder or a zip of images. @throws UserError if it is neither */
export async function openImages(path: string): Promise<ImageFiles> {
  const info = await statInput(path);
  if (info.isDirectory()) return openFolder(path);
  if (info.isFile() && (await isZip(path))) return openZipImages(path);
  throw new UserError({
    where: path,
    expected: 'a folder or a zip of images',
    received: isImageName(path) ? 'one image' : 'another kind of file',
    hint: isImageName(path) ? 'Give the folder that contains it.' : 'Unpack an archive of another kind first.',
  });
}

function isUrl(location: string): boolean {
  return /^https?:\/\//i.test(location) && URL.canParse(location);
}

/** A path may itself contain `#`: an existing path is not split. */
async function splitEntry(location: string): Promise<{ base: string; entry?: string }> {
  const hash = location.lastIndexOf('#');
  if (hash < 0 || (await stat(location).catch(() => undefined))) return { base: location };
  return { base: location.slice(0, hash), entry: location.slice(hash + 1) };
}
