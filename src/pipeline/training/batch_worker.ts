import { LRUCache } from 'lru-cache';
import { move, transferableSymbol, valueSymbol } from 'piscina';
import sharp from 'sharp';
import { messageOf, type Problem, UserError } from '../../base/errors.js';
import type { Preprocess } from '../../config/preprocess.js';
import { CHECKED, decodeImage } from '../../image/decode.js';
import type { Image } from '../../image/image.js';
import { fittedSize, letterbox, letterboxRatio } from '../../image/letterbox.js';
import { type PackedBatch, packBatch } from '../../kernels/mosaic_warp/pack.js';
import type { AugmentedExample } from './augment.js';

export interface BatchTask {
  items: Pick<AugmentedExample, 'plan' | 'paths'>[];
  /** Height, width of the output. */
  size: readonly [number, number];
  /** Bytes of decoded images this thread may keep. */
  cacheBytes: number;
}

/** An image that cannot be read. Errors lose their class between threads, so the problem travels as data. */
export interface BadImage {
  path: string;
  problem: Problem;
}

/** Below this ratio, resizing costs less than the memory and the copy to the training thread that it saves. */
const LEAST_RATIO = 0.5;

/** Leaves a letterboxed image's bytes as they are. */
const PLAIN: Omit<Preprocess, 'size'> = { color: 'rgb', scale: 1, mean: [0, 0, 0], std: [1, 1, 1], pad: 0 };

// The pool's threads are the parallelism; more inside sharp would only take turns with them.
sharp.concurrency(1);

let cache: LRUCache<string, Image> | undefined;

/**
 * Decodes the images of a batch (through the cache) and packs them with their plans. One far larger than the output
 * is brought to its size first, as evaluation does it, so that a batch stays small whatever the camera.
 */
export default async function buildBatch({ items, size, cacheBytes }: BatchTask): Promise<PackedBatch | BadImage> {
  cache ??= new LRUCache({ maxSize: Math.max(cacheBytes, 1), sizeCalculation: ({ data }) => data.length });
  const paths = [...new Set(items.flatMap((item) => item.paths))];
  const held = cache;
  const loaded = await Promise.all(paths.map((path) => load(path, held)));
  const bad = loaded.find((image) => 'problem' in image);
  if (bad) return bad;
  const images = new Map(paths.map((path, i) => [path, shrink(loaded[i] as Image, size)]));
  const packed = packBatch(
    items.map(({ plan, paths }) => ({ plan, images: paths.map((path) => images.get(path) as Image) })),
  );
  const buffers = [packed.pixels.buffer, packed.images.buffer, packed.plans.buffer];
  return move({ [transferableSymbol]: buffers, [valueSymbol]: packed }) as unknown as PackedBatch;
}

async function load(path: string, cache: LRUCache<string, Image>): Promise<Image | BadImage> {
  const cached = cache.get(path);
  if (cached) return cached;
  try {
    const image = await decodeImage(path, CHECKED);
    cache.set(path, image);
    return image;
  } catch (error) {
    const unknown = { expected: 'an image', reason: messageOf(error) };
    return { path, problem: error instanceof UserError ? error.problem : unknown };
  }
}

function shrink(image: Image, size: readonly [number, number]): Image {
  const ratio = letterboxRatio(image, size);
  if (ratio >= LEAST_RATIO) return image;
  const { rows: height, columns: width } = fittedSize(image, size);
  const { data: levels } = letterbox(image, { ...PLAIN, size: [...size] }, 'nhwc');
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const start = y * size[1] * 3;
    data.set(levels.subarray(start, start + width * 3), y * width * 3);
  }
  return { width, height, data };
}
