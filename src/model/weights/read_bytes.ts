import { readFile } from 'node:fs/promises';
import { explainFileError } from '../../base/file_errors.js';

/** A weights file whole. UserError when it cannot be read. */
export async function readBytes(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw explainFileError(error, path);
  }
}
