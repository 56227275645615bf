import { posix } from 'node:path';

/** A file name from annotations as a path with slashes, without parts specific to the machine or page that wrote it. */
export interface CleanName {
  path: string;
  /** Whether it is absolute, a URL, or leaves its folder, so that its first folders need not exist here. */
  foreign: boolean;
  /** Equal for all spellings of one name: slashes, Unicode form, `./`, `%20`. */
  identity: string;
}

/**
 * Returns the paths a file name may stand for, most likely first: with slashes for backslashes, `%20` decoded, and
 * without scheme, host and query of a URL, drive and leading `..`. Label Studio's `/data/local-files/?d=` has the path
 * in its query.
 */
export function cleanNames(name: string): CleanName[] {
  const forms = [...new Set([decode(name), name])].flatMap((form) => {
    const inQuery = LOCAL_FILE.exec(form)?.[1];
    if (inQuery !== undefined) return [{ ...clean(inQuery), foreign: true }];
    const bare = form.replace(/\?.*$/s, '');
    return bare === form ? [clean(form)] : [clean(bare), clean(form)];
  });
  return forms.filter(({ path }) => path !== '' && path !== '.');
}

const LOCAL_FILE = /local-files\/*\?(?:.*&)?d=([^&]+)/s;

function clean(name: string): CleanName {
  const local = name.trim().replaceAll('\\', '/').normalize('NFC');
  // A file URL has no host; other hosts are removed, like the server of `//server/share`.
  const hosted = local.replace(/^file:\/\//i, '').replace(/^[a-z][a-z0-9+.-]+:\/\//i, '//');
  const relative = hosted.replace(/^\/\/[^/]*/, '').replace(/^\/*[a-z]:/i, '');
  const path = posix.normalize(relative.replace(/^\/+/, '')).replace(/^(\.\.(\/|$))+/, '');
  const foreign = relative !== local || /^\/|(^|\/)\.\.(\/|$)/.test(relative);
  return { path, foreign, identity: foreign ? local : path };
}

function decode(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** Upload names of Label Studio: eight hexadecimal digits and the file name. */
const UPLOAD_PREFIX = /^[0-9a-f]{8}-(?=.)/;

export interface FileMatch {
  file: string;
  /** Whether folders and name agree with the annotations, as far as both are known. */
  whole: boolean;
}

/** Finds the file in a folder that a name from another place or in another spelling most likely means. */
export class FileIndex {
  readonly #byBase = new Map<string, string[]>();
  readonly #folders = new Set<string>();
  readonly #byStem = new Map<string, string>();

  /** @param files relative paths with slashes */
  constructor(files: readonly string[]) {
    for (const file of files) {
      const parts = fold(file).split('/');
      const base = parts[parts.length - 1];
      const same = this.#byBase.get(base);
      if (same) same.push(file);
      else this.#byBase.set(base, [file]);
      if (parts.length > 1) this.#folders.add(parts[parts.length - 2]);
      this.#byStem.set(stemOf(base), file);
    }
  }

  /**
   * The files that share the longest ending with the name; none if a relative name has other folders, or if its folder
   * exists without the file.
   */
  find(name: string): FileMatch[] {
    for (const form of cleanNames(name)) {
      const found = this.#find(form);
      if (found.length > 0) return found;
    }
    return [];
  }

  /** A similar file for a name that was not found, only for messages. */
  near(name: string): string | undefined {
    for (const { path } of cleanNames(name)) {
      const base = posix.basename(fold(path));
      const file = this.#byBase.get(base)?.[0] ?? this.#byStem.get(stemOf(base));
      if (file !== undefined) return file;
    }
    return undefined;
  }

  #find({ path, foreign }: CleanName): FileMatch[] {
    const parts = path.split('/');
    const base = parts[parts.length - 1];
    const short = base.replace(UPLOAD_PREFIX, '');
    const byBase = this.#byBase.get(fold(base));
    const uploaded = byBase === undefined && short !== base;
    const candidates = byBase ?? (uploaded ? this.#byBase.get(fold(short)) : undefined);
    if (!candidates) return [];
    const wanted = uploaded ? [...parts.slice(0, -1), short] : parts;
    const parent = wanted.length > 1 ? fold(wanted[wanted.length - 2]) : '';
    const ends = candidates.map((file) => ({ file, shared: sharedEnd(wanted.map(fold), fold(file).split('/')) }));
    const longest = Math.max(...ends.map(({ shared }) => shared));
    const matches = ends
      .filter(({ shared }) => shared === longest)
      .map(({ file }) => ({ file, whole: !uploaded && longest === Math.min(wanted.length, file.split('/').length) }))
      .filter(({ whole }) => whole || uploaded || (foreign && (longest > 1 || !this.#folders.has(parent))));
    const spelt = matches.filter(({ file }) => file.normalize('NFC').endsWith(wanted.slice(-longest).join('/')));
    return spelt.length === 1 ? spelt : matches;
  }
}

function sharedEnd(a: readonly string[], b: readonly string[]): number {
  let count = 0;
  while (count < Math.min(a.length, b.length) && a[a.length - 1 - count] === b[b.length - 1 - count]) count++;
  return count;
}

const fold = (text: string): string => text.normalize('NFC').toLowerCase();
const stemOf = (base: string): string => base.replace(/\.[^.]*$/, '');
