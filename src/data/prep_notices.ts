import { UserError } from '../base/errors.js';
import type { Manifest } from './manifest.js';
import { listed } from './select.js';
import { SPLITS } from './split.js';

const UNGROUP = 'set prep.nearDuplicates: null (--prep.nearDuplicates null)';
/** A group of copies with at least this fraction of the images is worth a notice. */
const LARGE_GROUP = 0.25;

/** @throws UserError if there are fewer groups of near-duplicates than splits, with the remedy */
export function refuseFewGroups(groups: readonly number[], near: number | null): void {
  const count = new Set(groups).size;
  if (count >= SPLITS.length || groups.length < SPLITS.length) return;
  const alike = near === null ? 'files of equal bytes' : 'images that look alike, which count as copies of one another';
  throw new UserError({
    field: 'prep.nearDuplicates',
    expected: `at least ${SPLITS.length} different images, one for each split`,
    received: `${groups.length} images in ${count} group${count === 1 ? '' : 's'} of ${alike}`,
    hint:
      near === null
        ? 'Add images.'
        : `With a fixed camera or a plain background ${UNGROUP}: then only files of equal bytes count as copies.`,
  });
}

/** Notices that a user should see before training on the splits. */
export function noticesOf(manifest: Manifest, near: number | null): string[] {
  const { counts, images } = manifest;
  const notices: string[] = [];
  for (const split of ['val', 'test'] as const) {
    const { objects, categories } = counts[split];
    const missing = Object.keys(categories).filter((name) => categories[name] === 0);
    if (objects === 0) {
      notices.push(
        `${split} has no object: no AP can be measured on it. Add images with objects: each split needs one that does not look like those of the others.`,
      );
    } else if (missing.length > 0) {
      notices.push(`${split} has no object of ${missing.length} categories: ${listed(missing)}`);
    }
  }
  const sizes = new Map<number, number>();
  for (const { group } of images) sizes.set(group, (sizes.get(group) ?? 0) + 1);
  const largest = Math.max(...sizes.values());
  if (near !== null && largest > 2 && largest >= LARGE_GROUP * images.length) {
    notices.push(
      `${largest} of ${images.length} images look alike and went into one split as copies of one another. ` +
        `With a fixed camera or a plain background ${UNGROUP}.`,
    );
  }
  return notices;
}
