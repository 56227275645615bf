import { posix } from 'node:path';

/** Largest image file read, bytes: above what any image of the allowed size needs. */
export const MAX_FILE_BYTES = 512 * 2 ** 20;

/** Image files by the names annotations use, wherever they lie. */
export interface ImageFiles {
  /** Folder or zip, for messages. */
  where: string;
  /** Every file, images or not: relative paths with slashes. */
  names: readonly string[];
  /** Relative path of the file that has just this name; undefined when there is none. `fileName` must be safe. */
  find(fileName: string): Promise<string | undefined>;
  /** Bytes of a file that is one of `names` or that `find` gave. @throws Error when it cannot be read whole */
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
