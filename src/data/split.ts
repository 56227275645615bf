import { UserError } from '../base/errors.js';
import { Random } from '../base/random.js';

export const SPLITS = ['train', 'val', 'test'] as const;
export type Split = (typeof SPLITS)[number];

export interface SplitPicture {
  /** Categories of the objects in the picture, each once; none for a background picture. */
  labels: readonly number[];
  /** Pictures of one group land in the same split. */
  group: number;
}

/** Stands for "no object", so that background pictures are shared out like a class. */
const BACKGROUND = -1;

interface Group {
  members: number[];
  /** Pictures in which a label occurs. */
  labels: Map<number, number>;
}

/**
 * Shares pictures out so that every class meets the shares as nearly as whole groups allow: iterative stratification
 * (Sechidis, Tsoumakas, Vlahavas 2011), rarest label first. The same pictures, shares and seed give the same splits.
 * Returns one split per picture; throws a UserError when a split stays empty.
 */
export function stratifiedSplit(
  pictures: readonly SplitPicture[],
  shares: Record<Split, number>,
  seed: number,
): Split[] {
  const random = new Random(seed, 'split');
  const waiting = new Set(random.shuffle(groupsOf(pictures)));
  const totals = new Map<number, number>();
  for (const { labels } of waiting) addCounts(totals, labels, 1);
  const wanted = SPLITS.map((split) => ({
    split,
    pictures: shares[split] * pictures.length,
    labels: new Map([...totals].map(([label, count]) => [label, shares[split] * count])),
  }));
  const result: Split[] = new Array(pictures.length);
  while (waiting.size > 0) {
    const left = new Map<number, number>();
    for (const { labels } of waiting) addCounts(left, labels, 1);
    const [rarest] = [...left].reduce((least, entry) => (entry[1] < least[1] ? entry : least));
    for (const group of [...waiting].filter(({ labels }) => labels.has(rarest))) {
      const need = (want: (typeof wanted)[number]) => want.labels.get(rarest) ?? 0;
      const target = wanted.reduce((best, want) =>
        need(want) > need(best) || (need(want) === need(best) && want.pictures > best.pictures) ? want : best,
      );
      for (const member of group.members) result[member] = target.split;
      target.pictures -= group.members.length;
      addCounts(target.labels, group.labels, -1);
      waiting.delete(group);
    }
  }
  refuseEmpty(result);
  return result;
}

function groupsOf(pictures: readonly SplitPicture[]): Group[] {
  const groups = new Map<number, Group>();
  for (const [i, { labels, group: key }] of pictures.entries()) {
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

function refuseEmpty(result: readonly Split[]): void {
  const empty = SPLITS.filter((split) => !result.includes(split));
  if (empty.length === 0) return;
  throw new UserError({
    field: `prep.split.${empty[0]}`,
    expected: 'pictures in every split',
    received: `${result.length} pictures, none of them for ${empty.join(' and ')}`,
    hint: 'Add pictures, or raise the share of the empty split; pictures that look alike count as one.',
  });
}
