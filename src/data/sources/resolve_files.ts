import { mapConcurrent } from '../../base/concurrency.js';
import { describeValue } from '../../base/errors.js';
import type { ListedImage } from '../coco/images.js';
import type { ProblemKind } from '../validation.js';
import { type ImageFiles, isSafeName } from './image_files.js';
import { cleanNames, FileIndex, type FileMatch } from './image_names.js';

/** File names to look up at once. */
const LOOKUPS = 16;

/** Why a listed image is unusable. */
export interface Unusable {
  kind: Extract<ProblemKind, 'unsafePath' | 'missingImage' | 'unreadableImage' | 'ambiguousName'>;
  detail: string;
}

/** The file of a listed image. */
export interface Resolved {
  file: string;
  /** How its name matches: exactly, in another spelling, or only by its ending. */
  fit: 'exact' | 'spelling' | 'end';
}

/**
 * Finds the file of every listed image: the one with exactly its name, else the only one with the longest common
 * ending. A name that may mean several files, or a file that several different names may mean, is not matched, because
 * boxes could land on the wrong image.
 */
export async function resolveFiles(
  images: readonly ListedImage[],
  files: ImageFiles,
): Promise<(Resolved | Unusable)[]> {
  const exact = await mapConcurrent(images, LOOKUPS, async ({ file_name: name }) =>
    isSafeName(name) ? files.find(name) : undefined,
  );
  if (exact.every((file) => file !== undefined)) return exact.map((file) => ({ file, fit: 'exact' }));
  const index = new FileIndex(files.names);
  const found = images.map(({ file_name: name }, i): Resolved | Unusable => {
    const file = exact[i];
    return file === undefined ? fromMatches(index.find(name), name, index) : { file, fit: 'exact' };
  });
  const claims = new Map<string, Set<string>>();
  const taken = new Set(exact);
  const identity = (i: number): string => cleanNames(images[i].file_name)[0]?.identity ?? images[i].file_name;
  for (const [i, one] of found.entries()) {
    if ('kind' in one) continue;
    claims.set(one.file, (claims.get(one.file) ?? new Set()).add(identity(i)));
  }
  return found.map((one) => {
    if ('kind' in one || one.fit === 'exact' || claims.get(one.file)?.size === 1) return one;
    const rival = taken.has(one.file) ? 'which another entry names as it is' : 'which other names fit as well';
    return { kind: 'ambiguousName', detail: `${describeValue(one.file)}, ${rival}` };
  });
}

function fromMatches(matches: readonly FileMatch[], name: string, index: FileIndex): Resolved | Unusable {
  if (matches.length === 1) return { file: matches[0].file, fit: matches[0].whole ? 'spelling' : 'end' };
  if (matches.length > 1) {
    const shown = matches.slice(0, 3).map(({ file }) => describeValue(file));
    const rest = matches.length > 3 ? ` and ${matches.length - 3} more` : '';
    return { kind: 'ambiguousName', detail: `may be ${shown.join(' or ')}${rest}` };
  }
  const near = index.near(name);
  const kind = isSafeName(name) ? 'missingImage' : 'unsafePath';
  return { kind, detail: near === undefined ? '' : `there is ${describeValue(near)}` };
}
