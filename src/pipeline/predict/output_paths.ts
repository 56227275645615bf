import { stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { fileName } from '../../base/file_name.js';
import { realPath } from '../../base/outputs.js';
import { isAnnotated } from '../../image/draw.js';
import type { ImageInput } from './image_inputs.js';

/** Where the annotated image of an input goes. */
export interface OutputPath {
  path: string;
  /** Why it has not the name of its input; absent where it has. */
  changed?: string;
}

const ENDING = '.jpg';

/**
 * A file for each image: its name with `.jpg` below `out`. No output replaces an input, another output, or a file that
 * `predict` has not made: such names get `-2`, `-3` …; names that differ in case or Unicode form alone count as one. All
 * names that are free are given first, so that they do not depend on those that are not.
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
  /** Takes a path where it is free; else says who has it. */
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

/** There is something that `predict` has not made. */
async function isOthers(path: string): Promise<boolean> {
  const info = await stat(path).catch(() => undefined);
  return info !== undefined && !(info.isFile() && (await isAnnotated(path)));
}

/** As file systems compare names that know neither case nor Unicode forms. */
const keyOf = (path: string): string => path.normalize('NFC').toLowerCase();
