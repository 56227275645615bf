import { readSafetensors } from '../../src/model/weights/safetensors.js';
import type { Weights } from '../../src/model/weights/weights.js';

export interface GoldenFile {
  /** Values of a tensor, as stored. */
  values<T extends ArrayLike<number> = Float32Array>(name: string): T;
  shape(name: string): number[];
  has(name: string): boolean;
  metadata: Record<string, string>;
}

export async function readGolden(path: string): Promise<GoldenFile> {
  const { tensors, metadata } = await readSafetensors(path);
  const find = (name: string) => {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`${path} has no tensor ${name}`);
    return tensor;
  };
  return {
    values: <T>(name: string) => find(name).data as unknown as T,
    shape: (name) => find(name).shape,
    has: (name) => tensors.has(name),
    metadata,
  };
}

export async function readWeights(path: string): Promise<Weights> {
  const { tensors } = await readSafetensors(path);
  return new Map([...tensors].map(([name, { shape, data }]) => [name, { shape, data: data as Float32Array }]));
}

/** Largest absolute difference of two arrays; NaN, which no bound lets pass, where one holds a NaN. */
export function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`lengths differ: ${a.length} and ${b.length}`);
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i] - b[i]);
    if (Number.isNaN(difference)) return Number.NaN;
    largest = Math.max(largest, difference);
  }
  return largest;
}

export const maxAbs = (a: ArrayLike<number>): number => maxDifference(a, new Float32Array(a.length));

/** [N,C,H,W] → [N,H,W,C]. */
export function toNhwc(nchw: Float32Array, [n, c, h, w]: readonly number[]): Float32Array {
  const out = new Float32Array(nchw.length);
  for (let i = 0; i < n; i++)
    for (let k = 0; k < c; k++)
      for (let p = 0; p < h * w; p++) out[(i * h * w + p) * c + k] = nchw[(i * c + k) * h * w + p];
  return out;
}
