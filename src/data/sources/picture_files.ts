import { posix } from 'node:path';

/** Largest picture file read, bytes: above what any picture of the allowed size needs. */
export const MAX_FILE_BYTES = 512 * 2 ** 20;

/** Picture files by the names annotations use, wherever they lie. */
export interface PictureFiles {
  /** Handle of the file an image entry names, to be read; undefined when there is none. `fileName` must be safe. */
  find(fileName: string): Promise<string | undefined>;
  /** Bytes of a file that `find` gave. @throws Error when it cannot be read whole */
  read(found: string): Promise<Buffer>;
  /** Number of picture files besides those `found`. */
  countOthers(found: ReadonlySet<string>): Promise<number>;
  close(): void;
}

/** Whether a file name of annotations stays inside the folder it is relative to. */
export function isSafeName(name: string): boolean {
  return !posix.isAbsolute(name) && !name.includes('\0') && !name.split(/[\\/]/).includes('..');
}

export function isPictureName(name: string): boolean {
  return /\.(jpe?g|png|webp|gif|tiff?|bmp|dib|hei[cf]|avif)$/i.test(name);
}
