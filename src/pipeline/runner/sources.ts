import { stat } from 'node:fs/promises';
import { UserError } from '../../base/errors.js';
import type { Config } from '../../config/schema.js';
import { readAnnotations } from '../../data/sources/annotation_text.js';
import { type Content, folderContent, listedNames } from '../../data/sources/content.js';
import { bringHere, type LocalInput } from '../../data/sources/inputs.js';
import type { Store } from '../../data/store.js';
import type { StepName } from './step.js';

/** Contents of the external files and folders that a step reads, by configuration key. */
export type Sources = Record<string, Content>;

/**
 * Reads the external inputs of a step. Files that have not been touched since the last time are not read again.
 * @param fetch if false, downloads nothing; files not yet downloaded count as unknown
 * @throws UserError if something is missing or does not have the SHA-256 that the configuration expects
 */
export async function readSources(
  step: StepName,
  config: Config,
  store: Store,
  { fetch = true } = {},
): Promise<Sources> {
  switch (step) {
    case 'data-load':
      return readData(config.data, store, fetch);
    case 'model-train':
      return readFile('train.weights', config.train.weights, store);
    case 'model-test':
      return readFile('test.baseline', config.test.baseline, store);
    default:
      return {};
  }
}

async function readFile(field: string, path: string | null, store: Store): Promise<Sources> {
  if (path === null) return {};
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) {
    throw new UserError({
      where: path,
      field,
      expected: 'a file',
      received: found?.isDirectory() ? 'a folder' : found ? 'no plain file' : 'nothing there',
      hint: `Fix the path, which is relative to ${process.cwd()}.`,
    });
  }
  return { [field]: { sha256: await store.hashFile(path) } };
}

async function readData(data: Config['data'], store: Store, fetch: boolean): Promise<Sources> {
  if (data.source !== 'coco') return {};
  const bring = (key: 'images' | 'annotations') => {
    const location = data[key];
    return location === null
      ? undefined
      : bringHere(location, { field: `data.${key}`, expected: data[`${key}Sha256`], fetch, ...store.forInputs });
  };
  const images = await bring('images');
  const annotations = await bring('annotations');
  return {
    ...(images && { 'data.images': await imagesContent(images, annotations, store) }),
    ...(annotations && { 'data.annotations': fileContent(annotations) }),
  };
}

/** For a zip, includes the entry, because another may contain other annotations. */
function fileContent({ sha256 = 'a folder', entry }: LocalInput): Content {
  return { sha256: entry === undefined ? sha256 : `${sha256}#${entry}` };
}

async function imagesContent(images: LocalInput, annotations: LocalInput | undefined, store: Store): Promise<Content> {
  if (images.sha256 !== undefined) return { sha256: images.sha256 };
  const named = async () =>
    annotations === undefined || annotations.absent
      ? new Set<string>()
      : listedNames((await readAnnotations(annotations.path, annotations.entry)).text);
  return folderContent(images.path, named, (path) => store.hashFile(path));
}
