import { readdir, realpath, stat } from 'node:fs';
import { basename, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { promisify } from 'node:util';
import { glob, isDynamicPattern } from 'tinyglobby';
import { UserError } from '../../base/errors.js';
import { readBytes, readHead } from '../../base/files.js';
import { decodeText } from '../../base/text.js';
import { isImageName } from '../../data/sources/image_files.js';
import { isAnnotated } from '../../image/draw.js';
import { identifyImage } from '../../image/image_format.js';

/** Bytes that suffice to identify a file. */
const HEAD_BYTES = 4096;

/** An image to find objects in. */
export interface ImageInput {
  path: string;
  /** Name for its output: its path inside the folder or below the fixed part of the glob it came from. */
  name: string;
}

/** Files that were skipped, and why. */
export interface Skipped {
  reason: string;
  count: number;
  first: string;
}

export interface ImageInputs {
  /** In the order of the arguments; within a folder or glob, by name. */
  images: ImageInput[];
  skipped: Skipped[];
}

/**
 * Finds the images that arguments name. An argument is a file, a folder (searched with its subfolders), a glob, or
 * `@FILE`: a list of files and folders, one per line, relative to the working directory. In folders and globs, files
 * that are not images by name or content are skipped and counted, and so are hidden files.
 *
 * @param out folder of the outputs; images annotated by an earlier run in it are skipped
 * @throws UserError for a folder, glob or list without an image
 */
export async function findImages(args: readonly string[], out?: string): Promise<ImageInputs> {
  const finder = new Finder(out === undefined ? undefined : resolve(out));
  for (const arg of args) {
    if (arg.startsWith('@')) await finder.addList(arg.slice(1));
    else await finder.add(arg);
  }
  return { images: finder.images, skipped: finder.skipped };
}

class Finder {
  readonly images: ImageInput[] = [];
  readonly skipped: Skipped[] = [];
  readonly #seen = new Set<string>();
  readonly #out: string | undefined;

  constructor(out: string | undefined) {
    this.#out = out;
  }

  async add(arg: string): Promise<void> {
    const info = await promisify(stat)(arg).catch(() => undefined);
    if (info?.isDirectory()) return this.#search('**', arg, arg);
    if (info || !isDynamicPattern(arg)) return this.#take({ path: arg, name: basename(arg) });
    const parts = arg.split('/');
    const fixed = parts.findIndex((part) => isDynamicPattern(part));
    const base = parts.slice(0, fixed).join('/') || (isAbsolute(arg) ? '/' : '.');
    await this.#search(parts.slice(fixed).join('/'), base, arg);
  }

  /** Files and folders of a list, one a line. */
  async addList(path: string): Promise<void> {
    const refuse = (received: string): never => {
      const hint = `An image whose name begins with @ is written ./@${path}.`;
      throw new UserError({ where: `@${path}`, expected: 'a list of image files, one per line', received, hint });
    };
    const bytes = await readBytes(path);
    if (typeof identifyImage(bytes) === 'string') refuse('an image');
    const text = decodeText(bytes, path);
    if (text.includes('\0')) refuse('a binary file');
    const entries = text.split(/\r?\n/).filter((line) => line.trim() !== '');
    if (entries.length === 0) refuse('no line');
    for (const entry of entries) {
      const info = await promisify(stat)(entry).catch(() => undefined);
      if (info?.isDirectory()) await this.#search('**', entry, entry);
      else await this.#take({ path: entry, name: basename(entry) });
    }
  }

  /** The images that `pattern` matches below `base`. */
  async #search(pattern: string, base: string, arg: string): Promise<void> {
    const unreadable: string[] = [];
    const options = { cwd: base, dot: true, expandDirectories: false, fs: reporting(unreadable) };
    const found = (await glob(pattern, options)).sort();
    const before = this.images.length;
    for (const file of found) await this.#takeFound(file, base);
    for (const folder of unreadable) this.#skip('folders that cannot be read', folder);
    if (this.images.length > before || (await this.#knows(found, base))) return;
    throw new UserError({
      where: arg,
      expected: 'at least one image',
      received: found.length === 0 ? 'no file' : `${found.length} files, none of them an image`,
      hint: unreadable.length > 0 ? `${unreadable[0]} cannot be read: check its permissions with ls -ld.` : undefined,
    });
  }

  async #takeFound(file: string, base: string): Promise<void> {
    const path = base === '.' ? file : join(base, file);
    if (file.split('/').some((part) => part.startsWith('.') && part !== '.' && part !== '..')) {
      this.#skip('hidden files', path);
    } else if (!isImageName(path) && !(await isImage(path))) this.#skip('files that are no images', path);
    else if (this.#seen.has(await real(path))) this.#skip('images named before', path);
    else if (await this.#isOutput(path)) this.#skip('images annotated by an earlier run', path);
    else {
      const below = relative(base, path);
      await this.#take({ path, name: below.startsWith('..') ? basename(path) : below });
    }
  }

  async #take(image: ImageInput): Promise<void> {
    this.#seen.add(await real(image.path));
    this.images.push(image);
  }

  /** Whether any of these files was already found before. */
  async #knows(found: readonly string[], base: string): Promise<boolean> {
    for (const file of found) if (this.#seen.has(await real(join(base, file)))) return true;
    return false;
  }

  async #isOutput(path: string): Promise<boolean> {
    if (this.#out === undefined) return false;
    const [out, file] = await Promise.all([this.#out, path].map(real));
    return file.startsWith(out + sep) && isAnnotated(path);
  }

  #skip(reason: string, path: string): void {
    const entry = this.skipped.find((one) => one.reason === reason);
    if (entry) entry.count++;
    else this.skipped.push({ reason, count: 1, first: path });
  }
}

/** Whether a file is an image, whatever its name. */
async function isImage(path: string): Promise<boolean> {
  return typeof identifyImage(await readHead(path, HEAD_BYTES)) === 'string';
}

const real = (path: string): Promise<string> => promisify(realpath)(path).catch(() => resolve(path));

/** File system functions that record unreadable folders, which tinyglobby silently skips. */
function reporting(unreadable: string[]) {
  const note = (path: string, callback: (...answer: unknown[]) => void) => (error: unknown, entries: unknown) => {
    if (error) unreadable.push(path);
    callback(error, entries);
  };
  const reader = (path: string, options: object, callback: (...answer: unknown[]) => void) =>
    readdir(path, options, note(path, callback));
  return { readdir: reader as unknown as typeof readdir };
}
