import type { Outcome, OutcomeKind } from '../data/coco_eval/confusion.js';
import { toCorners } from '../detect/box.js';
import type { CocoCategory } from '../detect/coco.js';
import { annotate, type LabelledBox } from '../image/draw.js';
import type { Image } from '../image/image.js';

/** Why an image is shown. */
export type Gallery = 'misses' | 'false alarms' | 'hits';

export interface Choice {
  gallery: Gallery;
  imageId: number;
}

/** Explains the colours to the reader. */
export const LEGEND =
  'Green: found. Orange, dashed: missed. Purple: found as another class. Red: detected where nothing is.';

const COLORS: Record<OutcomeKind, string> = {
  hit: '#009e73',
  confused: '#8c6bb1',
  miss: '#e69f00',
  'false alarm': '#d62728',
};

/** Longer side of a shown image, pixels. */
const MAX_SIDE = 800;

/**
 * Picks up to `count` different images, a third for each gallery, worst first: those with the most missed or confused
 * objects, those with the most confident false alarms, and, of the rest, those with the fewest errors, loosest boxes
 * first.
 */
export function chooseImages(outcomes: ReadonlyMap<number, readonly Outcome[]>, count: number): Choice[] {
  const images = [...outcomes].map(([imageId, list]) => ({
    imageId,
    missed: list.filter(({ kind }) => kind === 'miss' || kind === 'confused').length,
    alarm: list.reduce((sum, outcome) => sum + (outcome.kind === 'false alarm' ? outcome.detection.score : 0), 0),
    hits: list.filter(({ kind }) => kind === 'hit').length,
    iou: list.reduce((sum, outcome) => sum + (outcome.kind === 'hit' ? outcome.iou : 0), 0),
  }));
  const chosen = new Map<number, Gallery>();
  const choose = (gallery: Gallery, share: number, candidates: typeof images) => {
    const free = candidates.filter(({ imageId }) => !chosen.has(imageId));
    for (const { imageId } of free.slice(0, share)) chosen.set(imageId, gallery);
  };
  const third = Math.floor(count / 3);
  choose(
    'misses',
    count - 2 * third,
    images.filter(({ missed }) => missed > 0).sort((a, b) => b.missed - a.missed),
  );
  choose(
    'false alarms',
    third,
    images.filter(({ alarm }) => alarm > 0).sort((a, b) => b.alarm - a.alarm),
  );
  const found = images.filter(({ hits }) => hits > 0);
  choose(
    'hits',
    third,
    found.sort((a, b) => a.missed + a.alarm - b.missed - b.alarm || a.iou / a.hits - b.iou / b.hits),
  );
  return [...chosen].map(([imageId, gallery]) => ({ imageId, gallery }));
}

/** Draws the outcomes of one image, errors on top; returns a JPEG. */
export function annotateOutcomes(
  image: Image,
  outcomes: readonly Outcome[],
  categories: readonly CocoCategory[],
): Promise<Buffer> {
  const names = new Map(categories.map(({ id, name }) => [id, name]));
  const nameOf = ({ category_id }: { category_id: number }) => names.get(category_id) ?? `category ${category_id}`;
  const order: OutcomeKind[] = ['false alarm', 'confused', 'miss', 'hit'];
  const sorted = outcomes.toSorted((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
  return annotate(
    image,
    sorted.map((outcome) => drawing(outcome, nameOf)),
    { maxSide: MAX_SIDE },
  );
}

/** `2 hits, 1 miss`. */
export function describeOutcomes(outcomes: readonly Outcome[]): string {
  const plurals = { hit: 'hits', miss: 'misses', confused: 'confused', 'false alarm': 'false alarms' };
  const kinds = Object.keys(plurals) as OutcomeKind[];
  const parts = kinds.flatMap((kind) => {
    const count = outcomes.filter((outcome) => outcome.kind === kind).length;
    return count === 0 ? [] : [`${count} ${count === 1 ? kind : plurals[kind]}`];
  });
  return parts.join(', ') || 'nothing there, nothing found';
}

function drawing(outcome: Outcome, nameOf: (entry: { category_id: number }) => string): LabelledBox {
  const { bbox } = outcome.kind === 'miss' ? outcome.object : outcome.detection;
  return {
    box: toCorners(bbox),
    label: labelOf(outcome, nameOf),
    color: COLORS[outcome.kind],
    dashed: outcome.kind === 'miss',
  };
}

function labelOf(outcome: Outcome, nameOf: (entry: { category_id: number }) => string): string {
  if (outcome.kind === 'miss') return nameOf(outcome.object);
  const found = `${nameOf(outcome.detection)} ${outcome.detection.score.toFixed(2)}`;
  return outcome.kind === 'confused' ? `${found}, is ${nameOf(outcome.object)}` : found;
}
