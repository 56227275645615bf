import { readFile } from 'node:fs/promises';
import { UserError } from '../../base/errors.js';

/** A weights file whole. UserError when it cannot be read. */
export async function readBytes(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const received = (error as NodeJS.ErrnoException).code;
    throw new UserError({ where: path, expected: 'a readable weights file', received }, { cause: error });
  }
}
