import { readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { mapConcurrent } from '../base/concurrency.js';
import { UserError } from '../base/errors.js';
import { makeDir, sha256, writeAtomic } from '../base/files.js';
import { startProgress } from '../base/progress.js';
import type { StoredImage } from '../detect/coco.js';
import { HashCache } from './hash_cache.js';

/** Objects verified at once, and from how many on progress is shown. */
const CONCURRENCY = 8;
const SHOWN_FROM = 1000;

/**
 * Folder of everything the pipeline keeps. Files under `objects/` are named by the SHA-256 of their content, so equal
 * files are stored once, and a path always refers to the same bytes.
 */
export class Store {
  /** Absolute path of the folder. */
  readonly root: string;
  readonly #verified = new Set<string>();
  #hashes?: Promise<HashCache>;

  constructor(root: string) {
    this.root = resolve(root);
  }

  /** Options for fetching inputs: the folder of downloads, and a function that hashes files. */
  get forInputs() {
    return { downloads: join(this.root, 'downloads'), hash: (path: string) => this.hashFile(path) };
  }

  /** `<root>/objects/ab/abcdef…`, whether or not the object exists. */
  objectPath(hash: string): string {
    return join(this.root, 'objects', hash.slice(0, 2), hash);
  }

  /** The file of an image in the store. */
  imagePath({ sha256 }: StoredImage): string {
    return this.objectPath(sha256);
  }

  async hasObject(hash: string): Promise<boolean> {
    return stat(this.objectPath(hash)).then(
      () => true,
      () => false,
    );
  }

  /** Stores bytes and returns their SHA-256. An existing object is rewritten only if it is damaged. */
  async putObject(bytes: Uint8Array): Promise<string> {
    const hash = sha256(bytes);
    const path = this.objectPath(hash);
    const found = await stat(path).catch(() => undefined);
    if (found?.size === bytes.length && (await readFile(path).catch(() => undefined))?.equals(bytes)) return hash;
    await makeDir(dirname(path));
    await writeAtomic(path, bytes);
    return hash;
  }

  /**
   * Reads objects and compares them with their names, each only once per instance.
   * @throws UserError naming the first missing or damaged object and the command that restores it
   */
  async verifyObjects(hashes: Iterable<string>): Promise<void> {
    const unseen = [...new Set(hashes)].filter((hash) => !this.#verified.has(hash));
    const progress = unseen.length >= SHOWN_FROM ? startProgress('verify images', unseen.length) : undefined;
    let done = 0;
    await mapConcurrent(unseen, CONCURRENCY, async (hash) => {
      const where = this.objectPath(hash);
      const bytes = await readFile(where).catch(() => undefined);
      const received = bytes === undefined ? 'nothing there' : sha256(bytes);
      if (received !== hash) {
        const hint =
          'It was lost or damaged: `npx yolox-node data-load --force` with the same configuration brings it back.';
        throw new UserError({ where, expected: `an image with SHA-256 ${hash}`, received, hint });
      }
      this.#verified.add(hash);
      progress?.update(++done);
    }).finally(() => progress?.stop());
  }

  /** SHA-256 of any file; a file untouched since an earlier run is not read again. */
  async hashFile(path: string): Promise<string> {
    this.#hashes ??= HashCache.open(join(this.root, 'cache', 'hashes'));
    return (await this.#hashes).hash(path);
  }

  /** Saves the hashes of files for later runs. */
  async saveHashes(): Promise<void> {
    await (await this.#hashes)?.save();
  }
}
