import { opendir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { mapConcurrent } from '../../base/concurrency.js';
import { sha256 } from '../../base/files.js';
import { startProgress } from '../../base/progress.js';
import { isImageName } from './image_files.js';

/** Content of an input: one hash and, for a folder, the hash of each file by relative path. */
export interface Content {
  sha256: string;
  files?: Record<string, string>;
}

/** Files that systems and tools leave in image folders; no dataset lists them. */
const LEFTOVERS = /^(thumbs\.db|ehthumbs\.db|desktop\.ini|icon\r|\._.*|\.ds_store)$/i;

/** Files read at once. */
const CONCURRENCY = 16;

/** From this many files on, the first read shows progress. */
const SHOWN_FROM = 1000;

/**
 * Content of a folder of images, independent of file times and the spelling of its path. Includes files with image
 * extensions, and other or hidden files only if annotations name them.
 *
 * @param named base names in the annotations; called only if the folder has files that depend on it
 * @param hash SHA-256 of a file
 */
export async function folderContent(
  root: string,
  named: () => Promise<ReadonlySet<string>>,
  hash: (path: string) => Promise<string>,
): Promise<Content> {
  const names = await listFiles(root);
  const [plain, odd] = [names.filter(isPlainImage), names.filter((name) => !isPlainImage(name) && !isLeftover(name))];
  const known = odd.length > 0 ? await named() : new Set<string>();
  const counted = [...plain, ...odd.filter((name) => known.has(basename(name)))].sort();
  const progress = counted.length >= SHOWN_FROM ? startProgress('compare images', counted.length) : undefined;
  let done = 0;
  const hashes = await mapConcurrent(counted, CONCURRENCY, async (name) => {
    const digest = await hash(join(root, name)).catch(unreadable);
    progress?.update(++done);
    return digest;
  }).finally(() => progress?.stop());
  const files = Object.fromEntries(counted.map((name, i) => [name, hashes[i]]));
  return { sha256: sha256(counted.map((name, i) => `${hashes[i]}  ${name}\n`).join('')), files };
}

/** Base names of the images in COCO annotations, in all forms they may stand for. */
export function listedNames(text: string): Set<string> {
  const names = new Set<string>();
  for (const [, quoted] of text.matchAll(/"file_name"\s*:\s*("(?:[^"\\]|\\.)*")/g)) {
    const name = parse(quoted);
    for (const form of [name, decode(name)]) {
      const base = form.split(/[\\/]/).at(-1) as string;
      for (const normal of [base, base.normalize('NFC'), base.normalize('NFD')]) names.add(normal);
    }
  }
  return names;
}

function parse(quoted: string): string {
  try {
    return JSON.parse(quoted);
  } catch {
    return quoted.slice(1, -1);
  }
}

function decode(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

const isPlainImage = (name: string): boolean => isImageName(name) && !/(^|\/)\./.test(name);

const isLeftover = (name: string): boolean => LEFTOVERS.test(basename(name));

/** data-load leaves out unreadable images with a reason; once readable again, they count as changed. */
function unreadable(error: Error): string {
  const { code } = (error.cause ?? {}) as NodeJS.ErrnoException;
  if (code === undefined) throw error;
  return `unreadable: ${code}`;
}

/** Names of all files below a folder, following links, except links back to a parent folder. */
async function listFiles(root: string): Promise<string[]> {
  const names: string[] = [];
  const visit = async (folder: string, above: readonly string[]): Promise<void> => {
    const { dev, ino } = await stat(join(root, folder));
    const id = `${dev}:${ino}`;
    if (above.includes(id)) return;
    for await (const entry of await opendir(join(root, folder), { bufferSize: 1024 })) {
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
      const found = entry.isSymbolicLink() ? await stat(join(root, name)).catch(() => undefined) : entry;
      if (found?.isFile()) names.push(name);
      else if (found?.isDirectory()) await visit(name, [...above, id]);
    }
  };
  await visit('', []);
  return names;
}
