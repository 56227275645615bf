import { LRUCache } from 'lru-cache';
import { move } from 'piscina';
import sharp from 'sharp';
import type { Preprocess } from '../../config/preprocess.js';
import { decodePicture } from '../../data/decode.js';
import type { Picture } from '../../data/picture.js';
import { mosaicWarp, type Recipe } from '../../kernels/mosaic_warp/index.js';

export interface BatchTask {
  recipes: { recipe: Recipe; paths: string[] }[];
  preprocess: Preprocess;
  /** Bytes of decoded pictures this thread may keep. */
  cacheBytes: number;
}

// The pool's threads are the parallelism; more inside sharp would only take turns with them.
sharp.concurrency(1);

let cache: LRUCache<string, Picture> | undefined;

/** Decodes the pictures of a batch (through the cache) and draws it: [N,H,W,3] float32. */
export default async function buildBatch({ recipes, preprocess, cacheBytes }: BatchTask): Promise<Float32Array> {
  cache ??= new LRUCache({ maxSize: Math.max(cacheBytes, 1), sizeCalculation: ({ data }) => data.length });
  const [height, width] = preprocess.size;
  const length = height * width * 3;
  const batch = new Float32Array(recipes.length * length);
  for (const [i, { recipe, paths }] of recipes.entries()) {
    const pictures = await Promise.all(paths.map((path) => load(path, cache as LRUCache<string, Picture>)));
    mosaicWarp(recipe, pictures, preprocess, batch, i * length);
  }
  return move(batch) as Float32Array;
}

async function load(path: string, cache: LRUCache<string, Picture>): Promise<Picture> {
  const cached = cache.get(path);
  if (cached) return cached;
  const picture = await decodePicture(path);
  cache.set(path, picture);
  return picture;
}
