import { constants } from 'node:buffer';
import { stat } from 'node:fs/promises';
import { posix } from 'node:path';
import { messageOf, UserError } from '../../base/errors.js';
import { readText } from '../../base/files.js';
import { isZip, openZip, type ZipArchive } from './zip.js';

/** Text of an annotation file and its name for messages. */
export interface AnnotationText {
  text: string;
  where: string;
}

/**
 * Reads COCO annotations from a JSON file or from a zip. Of a zip's JSON files that named by `entry` is taken, else
 * the only one, else the only `instances*.json`.
 *
 * @throws UserError when there is no such file or more than one
 */
export async function readAnnotations(path: string, entry?: string): Promise<AnnotationText> {
  const info = await stat(path).catch(() => undefined);
  if (!info?.isFile()) {
    throw new UserError({
      where: path,
      expected: 'a COCO JSON file, or a zip holding one',
      received: info ? 'a folder' : 'nothing there',
    });
  }
  if (!(await isZip(path))) return { text: await readText(path), where: path };
  const zip = await openZip(path);
  try {
    const name = entry ?? onlyAnnotations(zip, path);
    if (!zip.entries.has(name)) {
      throw new UserError({
        where: path,
        field: name,
        expected: 'an entry of the zip',
        hint: candidatesOf(jsonNames(zip)),
      });
    }
    return { text: await entryText(zip, path, name), where: `${path}#${name}` };
  } finally {
    zip.close();
  }
}

async function entryText(zip: ZipArchive, path: string, name: string): Promise<string> {
  try {
    return (await zip.read(name, constants.MAX_STRING_LENGTH)).toString('utf8');
  } catch (error) {
    throw new UserError(
      { where: path, field: name, expected: 'a readable entry', received: messageOf(error) },
      { cause: error },
    );
  }
}

function jsonNames(zip: ZipArchive): string[] {
  return [...zip.entries.keys()].filter((name) => name.toLowerCase().endsWith('.json'));
}

function onlyAnnotations(zip: ZipArchive, path: string): string {
  const names = jsonNames(zip);
  const instances = names.filter((name) => posix.basename(name).startsWith('instances'));
  if (names.length === 1) return names[0];
  if (instances.length === 1) return instances[0];
  throw new UserError({
    where: path,
    expected: 'one COCO instances JSON in the zip',
    received: `${names.length} JSON files`,
    hint: candidatesOf(names),
  });
}

function candidatesOf(names: readonly string[]): string {
  return names.length === 0 ? '' : `Name one after a #: ${names.map((name) => `#${name}`).join(', ')}.`;
}
