import { posix } from 'node:path';

/** Largest image file in bytes, more than any image of the allowed size needs. */
export const MAX_FILE_BYTES = 512 * 2 ** 20;

/** Access to image files by the names in annotations, wherever they are stored. */
export interface ImageFiles {
  /** Folder or zip, for messages. */
  where: string;
  /** All files, including other types, as relative paths with slashes. */
  names: readonly string[];
  /** Relative path of the file with exactly this name; undefined if there is none. `fileName` must be safe. */
  find(fileName: string): Promise<string | undefined>;
  /** Bytes of a file from `names` or `find`. @throws Error if it cannot be read completely */
  read(found: string): Promise<Buffer>;
  close(): void;
}

/** Whether a file name of annotations stays inside the folder it is relative to. */
export function isSafeName(name: string): boolean {
  return !posix.isAbsolute(name) && !name.includes('\0') && !name.split(/[\\/]/).includes('..');
}

export function isImageName(name: string): boolean {
  return /\.(jpe?g|png|webp|gif|tiff?|bmp|dib|hei[cf]|avif)$/i.test(name);
}
