import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import sharp from 'sharp';
import { ZipFile } from 'yazl';

export const CATEGORIES = [
  { id: 1, name: 'cat', supercategory: 'animal' },
  { id: 5, name: 'dog', supercategory: 'animal' },
];

/** JPEG of 80×60 pixels whose content depends on `shade`. */
export async function jpeg(shade: number, orientation = 1): Promise<Buffer> {
  const background = { r: shade % 256, g: (shade * 7) % 256, b: 99 };
  return sharp({
    create: { width: 80, height: 60, channels: 3, background, noise: { type: 'gaussian', mean: 128, sigma: 30 } },
  })
    .withMetadata({ orientation })
    .jpeg()
    .toBuffer();
}

export interface MadeCoco {
  images: { id: number; file_name: string; width: number; height: number }[];
  annotations: object[];
  categories: typeof CATEGORIES;
}

/** Annotations of `names`, one box each: ids 1…n, box [i, 5, 30, 20]. */
export function annotate(names: readonly string[]): MadeCoco {
  return {
    images: names.map((file_name, i) => ({ id: i + 1, file_name, width: 80, height: 60 })),
    annotations: names.map((_, i) => ({
      id: i + 1,
      image_id: i + 1,
      category_id: CATEGORIES[i % 2].id,
      bbox: [i, 5, 30, 20],
      area: 500,
      iscrowd: 0,
    })),
    categories: CATEGORIES,
  };
}

/** Writes files given by relative name under `dir`, folders included. */
export async function writeTree(dir: string, files: Record<string, string | Uint8Array>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), content);
  }
}

export async function writeZip(path: string, files: Record<string, string | Uint8Array>): Promise<void> {
  const zip = new ZipFile();
  for (const [name, content] of Object.entries(files)) zip.addBuffer(Buffer.from(content), name);
  zip.end();
  await pipeline(zip.outputStream, createWriteStream(path));
}

export async function messageFrom(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'no error',
    (error: Error) => `${error.name}: ${error.message}`,
  );
}
