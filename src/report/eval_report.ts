import { type Figure, meanOfPresent, RECALLS } from '../data/coco_eval/accumulate.js';
import { bestPoint, type OperatingPoint } from '../data/coco_eval/confidence.js';
import { type CategoryEvaluation, type CocoEvaluation, STAT_NAMES } from '../data/coco_eval/index.js';
import { IOU_THRESHOLDS } from '../data/coco_eval/match.js';
import { formatFigure, STAT_MEANINGS } from '../data/coco_eval/summary.js';
import type { CocoCategory } from '../detect/coco.js';
import { barChart, heatmap, type LineSeries, lineChart } from './charts.js';
import { beside, chart, gallery, image, type Markup, page, type Section, table, text } from './html.js';
import { type Gallery, LEGEND } from './outcome_images.js';

/** Most classes whose curves can be distinguished in one chart. */
const MOST_CLASSES = 24;

/** The twelve figures of an earlier evaluation, for comparison. */
export interface Baseline {
  label: string;
  /** In the order of STAT_NAMES; null if there was nothing to measure. */
  stats: readonly Figure[];
}

export interface ReportImage {
  gallery: Gallery;
  jpeg: Uint8Array;
  caption: string;
}

export interface EvalReport {
  title: string;
  /** One line that names the model and the dataset. */
  subtitle: string;
  /** Sentences above the figures. */
  remarks: readonly string[];
  evaluation: CocoEvaluation;
  before?: Baseline;
  points: readonly OperatingPoint[];
  /** Result of `confusionMatrix` with its categories, at this confidence. */
  confusion: { categories: readonly CocoCategory[]; matrix: readonly (readonly number[])[]; confidence: number };
  /** Worst first within each gallery. */
  images: readonly ReportImage[];
}

/** Report of an evaluation as one HTML file. */
export function evalReport(report: EvalReport): Promise<string> {
  const present = report.evaluation.categories.filter(({ objects }) => objects > 0);
  return page({
    title: report.title,
    subtitle: report.subtitle,
    sections: [
      { title: 'Result', content: [...report.remarks.map(text), ...resultOf(report)] },
      { title: 'Classes', content: classesOf(report.evaluation.categories, present) },
      { title: 'Precision and recall', content: [...curvesOf(present), ...operationOf(report.points)] },
      { title: 'Confusion matrix', content: confusionOf(report.confusion) },
      ...imagesOf(report.images),
    ],
  });
}

function resultOf({ evaluation: { stats }, before }: EvalReport): Markup[] {
  if (!before)
    return [
      table(
        ['', 'value', ''],
        STAT_NAMES.map((name, i) => [name, figure(stats[i]), STAT_MEANINGS[i]]),
      ),
    ];
  const change = (i: number) => {
    const [old, now] = [before.stats[i], stats[i]];
    return old === null || now === null ? '–' : signed(now - old);
  };
  const rows = STAT_NAMES.map((name, i) => [
    name,
    figure(before.stats[i]),
    figure(stats[i]),
    change(i),
    STAT_MEANINGS[i],
  ]);
  const series = [
    { name: before.label, values: before.stats },
    { name: 'this model', values: stats },
  ];
  const bars = barChart(STAT_NAMES, series, { title: 'Before and after', min: 0, max: 1 });
  return [
    beside(
      table(['', before.label, 'this model', 'change', ''], rows),
      chart(bars, `COCO figures of ${before.label} and of this model`),
    ),
  ];
}

function classesOf(all: readonly CategoryEvaluation[], present: readonly CategoryEvaluation[]): Markup[] {
  const rows = all.map(({ category, objects, ap, ap50, ap75, ar100 }) => [
    category.name,
    objects,
    ...[ap, ap50, ap75, ar100].map(figure),
  ]);
  const overview = table(['class', 'objects', 'AP', 'AP50', 'AP75', 'AR100'], rows);
  if (present.length === 0) return [text('No class has objects.'), overview];
  const series = [
    { name: 'AP', values: present.map(({ ap }) => ap) },
    { name: 'AP50', values: present.map(({ ap50 }) => ap50) },
  ];
  const names = present.map(({ category }) => category.name);
  const bars = barChart(names, series, { title: 'Average precision by class', min: 0, max: 1 });
  return [beside(overview, chart(bars, 'Average precision of each class'))];
}

function curvesOf(present: readonly CategoryEvaluation[]): Markup[] {
  if (present.length === 0) return [text('There are no objects, so there is neither precision nor recall.')];
  const at50 = IOU_THRESHOLDS.indexOf(0.5);
  const overall = [
    { name: 'IoU .50', points: meanCurve(present, [at50]) },
    { name: 'IoU .75', points: meanCurve(present, [at50 + 5]) },
    { name: 'mean of IoU .50 to .95', points: meanCurve(present, [...IOU_THRESHOLDS.keys()]) },
  ];
  const common = present.toSorted((a, b) => b.objects - a.objects).slice(0, MOST_CLASSES);
  const byClass = common.map((category) => ({ name: category.category.name, points: meanCurve([category], [at50]) }));
  const which = common.length < present.length ? `The ${MOST_CLASSES} most common classes` : 'Each class';
  const axes = { x: 'recall', y: 'precision', min: 0, max: 1, xMin: 0, xMax: 1 };
  return [
    chart(lineChart(overall, { ...axes, title: 'Mean of all classes' }), 'Precision by recall, mean of all classes'),
    chart(
      lineChart(byClass, { ...axes, title: `${which} at IoU .50` }),
      'Precision by recall of single classes at IoU .50',
    ),
  ];
}

function meanCurve(categories: readonly CategoryEvaluation[], thresholds: readonly number[]): LineSeries['points'] {
  return RECALLS.map((recall, r) => [
    recall,
    meanOfPresent(categories.flatMap(({ precision }) => thresholds.map((t) => precision[t * RECALLS.length + r]))),
  ]);
}

function operationOf(points: readonly OperatingPoint[]): Markup[] {
  const best = bestPoint(points);
  if (!best) return [text('Nothing was detected, so there is no confidence to choose.')];
  const curve = (name: 'precision' | 'recall' | 'f1', label: string) => ({
    name: label,
    points: points.map((point) => [point.confidence, point[name]] as const),
  });
  const curves = [curve('precision', 'precision'), curve('recall', 'recall'), curve('f1', 'F1')];
  return [
    chart(
      lineChart(curves, { title: 'By confidence, at IoU .50', x: 'confidence', min: 0, max: 1, xMin: 0, xMax: 1 }),
      'Precision, recall and F1 by confidence',
    ),
    text(
      `F1 is highest, ${figure(best.f1)}, at confidence ${best.confidence.toFixed(2)}: ` +
        `precision ${figure(best.precision)}, recall ${figure(best.recall)}.`,
    ),
  ];
}

function confusionOf({ categories, matrix, confidence }: EvalReport['confusion']): Markup[] {
  const background = categories.length;
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const used = matrix.flatMap((row, i) =>
    sum(row) + sum(matrix.map((other) => other[i])) > 0 || i === background ? [i] : [],
  );
  const names = used.map((i) => categories[i]?.name);
  const shares = used.map((row) => used.map((column) => matrix[row][column] / Math.max(1, sum(matrix[row]))));
  const counts = used.map((row) => used.map((column) => (matrix[row][column] || '').toString()));
  const svg = heatmap(
    names.map((name) => name ?? 'background'),
    names.map((name) => name ?? 'not found'),
    shares,
    counts,
    { x: 'predicted', y: 'actual' },
  );
  return [
    text(
      `Counts at IoU .50 and confidence ${confidence}. The shade is the share of the row. ` +
        'The last column counts objects not found, the last row detections where nothing is.',
    ),
    chart(svg, 'Actual by predicted class'),
  ];
}

function imagesOf(images: readonly ReportImage[]): Section[] {
  const about = {
    misses: 'Images with the most objects not found, or found as another class.',
    'false alarms': 'Images with the surest detections where no object is.',
    hits: 'Images with the fewest errors, loosest boxes first.',
  };
  const titles = { misses: 'Misses', 'false alarms': 'False alarms', hits: 'Hits' };
  return (Object.keys(about) as Gallery[]).flatMap((kind) => {
    const own = images.filter((entry) => entry.gallery === kind);
    const figures = own.map(({ jpeg, caption }) => image(jpeg, caption, caption));
    return own.length === 0
      ? []
      : [{ title: titles[kind], content: [text(`${about[kind]} ${LEGEND}`), gallery(figures)] }];
  });
}

function figure(value: Figure): string {
  return formatFigure(value, 3);
}

function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`;
}
