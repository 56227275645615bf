import type { CocoCategory } from '../../detect/coco.js';
import type { Figure } from './accumulate.js';
import { type CocoEvaluation, STAT_NAMES } from './index.js';

/** The figures of an evaluation as plain JSON. */
export interface EvaluationSummary {
  /** AP at IoU .5–.95, and at .5. */
  map: Figure;
  map50: Figure;
  /** The twelve COCO figures, named by `names`; null if there is nothing to measure. */
  stats: Figure[];
  names: readonly string[];
  /** By category id. */
  per_category: Record<string, { name: string; ap: Figure; ap50: Figure; ar100: Figure; objects: number }>;
}

/** Descriptions of the twelve figures, in the order of STAT_NAMES. */
export const STAT_MEANINGS: readonly string[] = [
  'average precision, IoU .50:.95',
  'average precision, IoU .50',
  'average precision, IoU .75',
  'average precision, small',
  'average precision, medium',
  'average precision, large',
  'average recall, 1 detection',
  'average recall, 10 detections',
  'average recall, 100 detections',
  'average recall, small',
  'average recall, medium',
  'average recall, large',
];

/** @param idOf key of a category in `per_category`; by default its id */
export function summarize(
  { stats, categories }: CocoEvaluation,
  idOf: (category: CocoCategory) => string | number = ({ id }) => id,
): EvaluationSummary {
  return {
    map: stats[0],
    map50: stats[1],
    stats,
    names: STAT_NAMES,
    per_category: Object.fromEntries(
      categories.map(({ category, ap, ap50, ar100, objects }) => [
        idOf(category),
        { name: category.name, ap, ap50, ar100, objects },
      ]),
    ),
  };
}

/** Formats the twelve figures and the categories with objects as lines for a terminal. */
export function summaryText({ stats, per_category }: EvaluationSummary): string {
  const cell = (value: Figure) => formatFigure(value, 4).padStart(8);
  const lines = STAT_NAMES.map((name, i) => `${name.padEnd(6)}${cell(stats[i])}  ${STAT_MEANINGS[i]}`);
  const present = Object.values(per_category).filter(({ objects }) => objects > 0);
  const width = Math.max('category'.length, ...present.map(({ name }) => name.length));
  const header = 'category'.padEnd(width) + ['AP', 'AP50', 'AR100', 'objects'].map((word) => word.padStart(8)).join('');
  const rows = present.map(({ name, ap, ap50, ar100, objects }) =>
    [name.padEnd(width), ...[ap, ap50, ar100].map(cell), String(objects).padStart(8)].join(''),
  );
  return [...lines, '', header, ...rows].join('\n');
}

/** Formats a figure with this many digits; a missing one as a dash. */
export function formatFigure(value: Figure, digits: number): string {
  return value === null ? '–' : value.toFixed(digits);
}
