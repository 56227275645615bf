import { sha256 } from '../base/files.js';
import type { CocoCategory, CocoDataset, CocoImage } from '../detect/coco.js';
import type { Split } from './split.js';

/** Contents of one split. */
export interface SplitCounts {
  images: number;
  /** Number of images without objects. */
  background: number;
  objects: number;
  /** Number of objects by category name, in order of the ids. */
  categories: Record<string, number>;
}

/** Entry of an image in the manifest. */
export interface SplitEntry {
  id: number;
  file_name: string;
  sha256: string;
  split: Split;
  /** Group number, shared by equal and nearly equal images. */
  group: number;
}

/** Record of how a dataset was split, to look up whether an image was used for training. */
export interface Manifest {
  format: 1;
  seed: number;
  shares: Record<Split, number>;
  categories: CocoCategory[];
  counts: Record<Split, SplitCounts>;
  /** Number of images with an equal or nearly equal one. */
  duplicates: number;
  images: SplitEntry[];
  /** SHA-256 of `images` as JSON without blanks. */
  checksum: string;
}

/** Describes the splits of `dataset`; `images` correspond to its images, one by one. */
export function buildManifest(
  dataset: CocoDataset,
  images: SplitEntry[],
  { seed, shares }: Pick<Manifest, 'seed' | 'shares'>,
): Manifest {
  const groupSizes = new Map<number, number>();
  for (const { group } of images) groupSizes.set(group, (groupSizes.get(group) ?? 0) + 1);
  const countOf = (split: Split) => countObjects(subset(dataset, images, split));
  return {
    format: 1,
    seed,
    shares,
    categories: dataset.categories,
    counts: { train: countOf('train'), val: countOf('val'), test: countOf('test') },
    duplicates: images.filter(({ group }) => (groupSizes.get(group) ?? 0) > 1).length,
    images,
    checksum: sha256(JSON.stringify(images)),
  };
}

/** The images of one split with their objects, and all categories. */
export function subset<Image extends CocoImage>(
  dataset: CocoDataset<Image>,
  images: readonly SplitEntry[],
  split: Split,
): CocoDataset<Image> {
  const ids = new Set(images.filter((image) => image.split === split).map(({ id }) => id));
  return {
    images: dataset.images.filter(({ id }) => ids.has(id)),
    annotations: dataset.annotations.filter(({ image_id }) => ids.has(image_id)),
    categories: dataset.categories,
  };
}

/** Crowds are not objects. */
function countObjects({ images, annotations: all, categories }: CocoDataset): SplitCounts {
  const annotations = all.filter(({ iscrowd }) => !iscrowd);
  const perCategory = new Map(categories.map(({ id }) => [id, 0]));
  for (const { category_id: id } of annotations) perCategory.set(id, (perCategory.get(id) ?? 0) + 1);
  return {
    images: images.length,
    background: images.length - new Set(annotations.map(({ image_id }) => image_id)).size,
    objects: annotations.length,
    categories: Object.fromEntries(categories.map(({ id, name }) => [name, perCategory.get(id) ?? 0])),
  };
}
