import { stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { makeDir, sha256, writeAtomic } from '../base/files.js';

/**
 * Folder of everything the pipeline keeps. Files live under `objects/` by the SHA-256 of their content, so equal
 * files are stored once, and a path, once handed out, always holds the same bytes.
 */
export class Store {
  /** Absolute path of the folder. */
  readonly root: string;

  constructor(root: string) {
    this.root = resolve(root);
  }

  /** Where downloads are kept between runs. */
  get downloads(): string {
    return join(this.root, 'downloads');
  }

  /** `<root>/objects/ab/abcdef…`, whether or not the object is there. */
  objectPath(hash: string): string {
    return join(this.root, 'objects', hash.slice(0, 2), hash);
  }

  async hasObject(hash: string): Promise<boolean> {
    return stat(this.objectPath(hash)).then(
      () => true,
      () => false,
    );
  }

  /** Stores bytes; returns their SHA-256. An object already there is not written again. */
  async putObject(bytes: Uint8Array): Promise<string> {
    const hash = sha256(bytes);
    if (await this.hasObject(hash)) return hash;
    const path = this.objectPath(hash);
    await makeDir(dirname(path));
    await writeAtomic(path, bytes);
    return hash;
  }
}
