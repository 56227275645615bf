import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { suite, type Test } from 'uvu';

const sharedRoot = process.env.YOLOX_SHARED ?? resolve(import.meta.dirname, '../../../shared');

/** Path inside the folder of real images and weights beside the checkout. */
export const shared = (...parts: string[]): string => join(sharedRoot, ...parts);

/** Folder of tensors computed with the reference implementations. */
export const goldenDir = process.env.GOLDEN_DIR ?? shared('golden');

/** Golden files whose name matches, as full paths, sorted. */
export function golden(pattern: RegExp): string[] {
  if (!existsSync(goldenDir)) return [];
  return readdirSync(goldenDir)
    .filter((name) => pattern.test(name))
    .sort()
    .map((name) => join(goldenDir, name));
}

/** A suite whose tests run where all `paths` exist, and are reported as skipped with the reason elsewhere. */
export function suiteNeeding(name: string, paths: readonly string[]): Test {
  const all = suite(name);
  const missing = paths.length === 0 ? 'golden files' : paths.find((path) => !existsSync(path));
  if (missing === undefined) return all;
  console.log(`skipped: ${name} needs ${missing}`);
  const skipping = ((title, test) => all.skip(title, test)) as Test;
  return Object.assign(skipping, all);
}
