import { constants } from 'node:buffer';
import { readdir } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { messageOf, UserError } from '../../base/errors.js';
import { readText } from '../../base/files.js';
import { decodeText } from '../../base/text.js';
import { openZip, type ZipArchive } from '../../base/zip.js';
import { statInput } from './inputs.js';
import { isZip } from './zip.js';

/** Text of an annotation file and its name for messages. */
export interface AnnotationText {
  text: string;
  where: string;
}

/**
 * Reads COCO annotations from a JSON file or from a zip. From a zip, it takes the JSON file named by `entry`, else the
 * only one, else the only `instances*.json`.
 *
 * @throws UserError if there is no such file or more than one
 */
export async function readAnnotations(path: string, entry?: string): Promise<AnnotationText> {
  const info = await statInput(path);
  if (info.isDirectory()) throw await folderGiven(path);
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
    const where = `${path}#${name}`;
    return { text: decodeText(await entryBytes(zip, path, name), where), where };
  } finally {
    zip.close();
  }
}

async function entryBytes(zip: ZipArchive, path: string, name: string): Promise<Buffer> {
  try {
    return await zip.read(name, constants.MAX_STRING_LENGTH);
  } catch (error) {
    throw new UserError(
      { where: path, field: name, expected: 'a readable entry', reason: messageOf(error) },
      { cause: error },
    );
  }
}

/** Error for a folder in place of a file: names the JSON in it, or the format of its files. */
async function folderGiven(path: string): Promise<UserError> {
  const names = await readdir(path);
  const json = names.filter((name) => name.toLowerCase().endsWith('.json')).sort();
  const shown = json.slice(0, 3).map((name) => join(path, name));
  const ofImages = json.length > 3 && json.length > names.length / 2;
  const hint =
    json.length > 0 && !ofImages
      ? `Name the file: ${shown.join(', ')}.`
      : `A file per image (LabelMe, YOLO, Pascal VOC) is not read: export or convert them as one COCO instances JSON.`;
  return new UserError({
    where: path,
    expected: 'a COCO JSON file, or a zip that contains one',
    received: 'a folder',
    hint,
  });
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
