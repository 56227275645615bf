import { stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { fileName } from '../../base/file_name.js';
import { realPath } from '../../base/outputs.js';
import { isAnnotated } from '../../image/draw.js';
import type { ImageInput } from './image_inputs.js';

/** Path of an annotated image. */
export interface OutputPath {
  path: string;
  /** Why its name differs from that of its input; absent if it does not. */
  changed?: string;
}

const ENDING = '.jpg';

/**
 * Plans one file per image: its name with `.jpg` in `out`. No output replaces an input, another output, or a file not
 * made by `predict`; such names get `-2`, `-3` …. Names that differ only in case or Unicode form count as the same.
 * Free names are assigned first, so that they do not depend on the others.
 */
export async function planOutputs(out: string, images: readonly ImageInput[]): Promise<OutputPath[]> {
  const taken = new Map<string, string>();
  for (const { path } of images) {
    taken.set(keyOf(resolve(path)), 'an input');
    taken.set(keyOf(await realPath(path)), 'an input');
  }
  const folders = new Map<string, Promise<string>>();
  const realFolder = (folder: string): Promise<string> => {
    const found = folders.get(folder) ?? realPath(folder);
    folders.set(folder, found);
    return found;
  };
  /** Claims a path if it is free; else returns the reason. */
  const claim = async (path: string, image: ImageInput): Promise<string | undefined> => {
    const key = keyOf(join(await realFolder(dirname(path)), basename(path)));
    const owner = taken.get(key) ?? ((await isOthers(path)) ? 'another file' : undefined);
    if (owner === undefined) taken.set(key, `the output of ${image.path}`);
    return owner;
  };

  const outputs: (OutputPath | undefined)[] = [];
  const waiting: { index: number; path: string; owner: string }[] = [];
  for (const [index, image] of images.entries()) {
    const path = pathOf(out, image, '');
    const owner = await claim(path, image);
    if (owner !== undefined) waiting.push({ index, path, owner });
    else outputs[index] = { path, ...(isShortened(path, image) && { changed: 'its name is too long' }) };
  }
  for (const { index, path: wanted, owner } of waiting) {
    const image = images[index];
    for (let nth = 2; outputs[index] === undefined; nth++) {
      const path = pathOf(out, image, `-${nth}`);
      if ((await claim(path, image)) === undefined) outputs[index] = { path, changed: `${wanted} is ${owner}` };
    }
  }
  return outputs as OutputPath[];
}

function pathOf(out: string, { name }: ImageInput, suffix: string): string {
  return join(out, dirname(name), fileName(stemOf(name), `${suffix}${ENDING}`));
}

const stemOf = (name: string): string => basename(name, extname(name));

const isShortened = (path: string, { name }: ImageInput): boolean => basename(path) !== stemOf(name) + ENDING;

/** The file exists and was not made by `predict`. */
async function isOthers(path: string): Promise<boolean> {
  const info = await stat(path).catch(() => undefined);
  return info !== undefined && !(info.isFile() && (await isAnnotated(path)));
}

/** Normalises names as file systems without case and Unicode forms do. */
const keyOf = (path: string): string => path.normalize('NFC').toLowerCase();
