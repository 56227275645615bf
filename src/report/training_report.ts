import type { Figure } from '../data/coco_eval/accumulate.js';
import { STAT_NAMES } from '../data/coco_eval/index.js';
import { formatFigure } from '../data/coco_eval/summary.js';
import { type LineSeries, lineChart } from './charts.js';
import { chart, type Markup, page, table, text } from './html.js';

/** Line of the training log: one iteration. */
export interface StepEntry {
  event: 'step';
  epoch: number;
  /** Iterations since training began, over all epochs. */
  step: number;
  lr: number;
  loss: number;
  loss_iou: number;
  loss_obj: number;
  loss_cls: number;
  loss_l1: number;
  /** Anchors assigned to objects. */
  num_fg: number;
  images_per_second: number;
  /** Height and width of the input, pixels. */
  size: [number, number];
}

/** Line of the training log: one validation. */
export interface ValidationEntry {
  event: 'validation';
  epoch: number;
  /** COCO metrics; null if the split has nothing to measure. */
  map: Figure;
  map50: Figure;
  stats: Figure[];
}

export type TrainingLogEntry = StepEntry | ValidationEntry;

/** Most points of a curve; more iterations are averaged in groups, which shows the trend despite noise. */
const MOST_POINTS = 200;

/** Report of a training as one HTML file. For iterations logged twice, as after a resume, the later line counts. */
export function trainingReport(logLines: readonly TrainingLogEntry[]): Promise<string> {
  const steps = latest(
    logLines.filter((entry) => entry.event === 'step'),
    ({ step }) => step,
  );
  const validations = latest(
    logLines.filter((entry) => entry.event === 'validation'),
    ({ epoch }) => epoch,
  );
  const last = steps.at(-1);
  return page({
    title: 'Training',
    subtitle: last ? `${last.step} iterations, ${last.epoch} epochs` : 'no iterations yet',
    sections: [
      { title: 'Losses', content: lossesOf(steps) },
      { title: 'Validation', content: validationsOf(validations) },
      { title: 'Learning rate, throughput, assignment', content: ratesOf(steps) },
    ],
  });
}

function lossesOf(steps: readonly StepEntry[]): Markup[] {
  if (steps.length === 0) return [text('Nothing was logged.')];
  const parts: [string, keyof StepEntry][] = [
    ['IoU', 'loss_iou'],
    ['objectness', 'loss_obj'],
    ['class', 'loss_cls'],
    ['L1', 'loss_l1'],
  ];
  const axes = { x: 'iteration', y: 'loss', min: 0, xMin: 0 };
  return [
    chart(lineChart([curve(steps, 'total', 'loss')], { ...axes, title: 'Total' }), 'Total loss by iteration'),
    chart(
      lineChart(
        parts.map(([name, key]) => curve(steps, name, key)),
        { ...axes, title: 'Parts' },
      ),
      'Parts of the loss by iteration',
    ),
  ];
}

function validationsOf(validations: readonly ValidationEntry[]): Markup[] {
  if (validations.length === 0) return [text('The model was not validated.')];
  const series = [
    { name: 'AP', points: validations.map(({ epoch, map }) => [epoch, map] as const) },
    { name: 'AP50', points: validations.map(({ epoch, map50 }) => [epoch, map50] as const) },
  ];
  const rows = validations.map(({ epoch, stats }) => [epoch, ...stats.map((value) => formatFigure(value, 3))]);
  const measured = validations.some(({ map }) => map !== null);
  if (!measured) return [text('There is no AP: the validation split has no object to find.')];
  return [
    chart(
      lineChart(series, { title: 'Average precision', x: 'epoch', min: 0, max: 1, xMin: 0 }),
      'Average precision by epoch',
    ),
    table(['epoch', ...STAT_NAMES], rows),
  ];
}

function ratesOf(steps: readonly StepEntry[]): Markup[] {
  if (steps.length === 0) return [];
  const single = (title: string, key: keyof StepEntry, y: string) =>
    chart(
      lineChart([curve(steps, title, key)], { title, x: 'iteration', y, min: 0, xMin: 0 }),
      `${title} by iteration`,
    );
  return [
    single('Learning rate', 'lr', 'rate'),
    single('Throughput', 'images_per_second', 'images/s'),
    single('Positive anchors', 'num_fg', 'anchors'),
  ];
}

/** Curve of one value by iteration, averaged in groups of neighbours. */
function curve(steps: readonly StepEntry[], name: string, key: keyof StepEntry): LineSeries {
  const group = Math.ceil(steps.length / MOST_POINTS);
  const points = Array.from({ length: Math.ceil(steps.length / group) }, (_, i) => {
    const members = steps.slice(i * group, (i + 1) * group);
    const values = members.map((entry) => entry[key] as number).filter(Number.isFinite);
    return [members[members.length - 1].step, values.reduce((a, b) => a + b, 0) / values.length] as const;
  });
  return { name, points };
}

/** The last entry of each key, in ascending order of the keys. */
function latest<T>(entries: readonly T[], keyOf: (entry: T) => number): T[] {
  return [...new Map(entries.map((entry) => [keyOf(entry), entry]))]
    .sort(([a], [b]) => a - b)
    .map(([, entry]) => entry);
}
