import { UserError } from '../base/errors.js';
import { Random } from '../base/random.js';

export const SPLITS = ['train', 'val', 'test'] as const;
export type Split = (typeof SPLITS)[number];

export interface SplitImage {
  /** Categories of the objects in the image, each once; none for a background image. */
  labels: readonly number[];
  /** Images of one group go into the same split. */
  group: number;
}

/** Label for "no object", so that background images are distributed like a class. */
const BACKGROUND = -1;

interface Group {
  members: number[];
  /** Number of images with each label. */
  labels: Map<number, number>;
  split?: Split;
}

/**
 * Distributes images so that every class approaches the given fractions as closely as whole groups allow: iterative
 * stratification (Sechidis, Tsoumakas, Vlahavas 2011), rarest label first. With enough groups, train has every class,
 * and val and test each have an object. Equal images, fractions and seed give equal splits.
 * @returns one split per image
 * @throws UserError if a split stays empty
 */
export function stratifiedSplit(images: readonly SplitImage[], shares: Record<Split, number>, seed: number): Split[] {
  const random = new Random(seed, 'split');
  const groups = random.shuffle(groupsOf(images));
  const waiting = new Set(groups);
  const totals = new Map<number, number>();
  for (const { labels } of waiting) addCounts(totals, labels, 1);
  const wanted = SPLITS.map((split) => ({
    split,
    images: shares[split] * images.length,
    labels: new Map([...totals].map(([label, count]) => [label, shares[split] * count])),
  }));
  while (waiting.size > 0) {
    const left = new Map<number, number>();
    for (const { labels } of waiting) addCounts(left, labels, 1);
    const [rarest] = [...left].reduce((least, entry) => (entry[1] < least[1] ? entry : least));
    for (const group of [...waiting].filter(({ labels }) => labels.has(rarest))) {
      const need = (want: (typeof wanted)[number]) => want.labels.get(rarest) ?? 0;
      const target = wanted.reduce((best, want) =>
        need(want) > need(best) || (need(want) === need(best) && want.images > best.images) ? want : best,
      );
      group.split = target.split;
      target.images -= group.members.length;
      addCounts(target.labels, group.labels, -1);
      waiting.delete(group);
    }
  }
  supply(groups, shares);
  const result: Split[] = new Array(images.length);
  for (const { members, split } of groups) for (const member of members) result[member] = split as Split;
  refuseEmpty(result);
  return result;
}

function groupsOf(images: readonly SplitImage[]): Group[] {
  const groups = new Map<number, Group>();
  for (const [i, { labels, group: key }] of images.entries()) {
    const group: Group = groups.get(key) ?? { members: [], labels: new Map() };
    groups.set(key, group);
    group.members.push(i);
    addCounts(group.labels, new Map((labels.length > 0 ? labels : [BACKGROUND]).map((label) => [label, 1])), 1);
  }
  return [...groups.values()];
}

function addCounts(counts: Map<number, number>, more: ReadonlyMap<number, number>, sign: 1 | -1): void {
  for (const [label, count] of more) counts.set(label, (counts.get(label) ?? 0) + sign * count);
}

/** Moves single groups if rounding left train without a class, val or test without an object, or a split empty. */
function supply(groups: readonly Group[], shares: Record<Split, number>): void {
  const inSplit = (split: Split) => groups.filter((group) => group.split === split);
  const take = (split: Split, fits: (group: Group) => boolean): void => {
    if (shares[split] === 0 || inSplit(split).some(fits)) return;
    const donors = groups.filter((group) => fits(group) && (split === 'train' || canSpare(group, groups, fits)));
    // Take from the split with the most, and its smallest group.
    const stock = (group: Group) => inSplit(group.split as Split).filter(fits).length;
    const [donor] = donors.sort((a, b) => stock(b) - stock(a) || a.members.length - b.members.length);
    if (donor) donor.split = split;
  };
  for (const label of new Set(groups.flatMap(({ labels }) => [...labels.keys()]))) {
    if (label !== BACKGROUND) take('train', ({ labels }) => labels.has(label));
  }
  for (const split of ['val', 'test'] as const) take(split, hasObject);
  for (const split of SPLITS) take(split, () => true);
}

/** No split gives away its last matching group or its last object, and train keeps the last one of each class. */
function canSpare(group: Group, groups: readonly Group[], fits: (group: Group) => boolean): boolean {
  const others = groups.filter((other) => other !== group && other.split === group.split);
  if (!others.some(fits) || (hasObject(group) && !others.some(hasObject))) return false;
  const isLast = (label: number) => label !== BACKGROUND && !others.some(({ labels }) => labels.has(label));
  return group.split !== 'train' || ![...group.labels.keys()].some(isLast);
}

const hasObject = ({ labels }: Group): boolean => [...labels.keys()].some((label) => label !== BACKGROUND);

function refuseEmpty(result: readonly Split[]): void {
  const empty = SPLITS.filter((split) => !result.includes(split));
  if (empty.length === 0) return;
  throw new UserError({
    field: `prep.split.${empty[0]}`,
    expected: 'images in every split',
    received: `${result.length} images, none of them for ${empty.join(' and ')}`,
    hint: 'Add images, or raise the share of the empty split.',
  });
}
