import type { Manifest } from '../data/manifest.js';
import { SPLITS, type Split } from '../data/split.js';
import { PROBLEMS, type ProblemKind, type ValidationReport } from '../data/validation.js';
import type { CocoDataset } from '../detect/coco.js';
import { barChart, heatmap, histogram } from './charts.js';
import { chart, gallery, image, type Markup, page, table, text } from './html.js';

/** COCO's limits of small and medium objects: areas in square pixels of the stored image. */
const SIZES = { small: [0, 32 ** 2], medium: [32 ** 2, 96 ** 2], large: [96 ** 2, Number.POSITIVE_INFINITY] } as const;

/** Rows and columns of the map of box centres. */
const CELLS = 12;

/** Images with more objects than this share one bar. */
const MOST_OBJECTS = 15;

export interface Sample {
  /** Annotated image, JPEG. */
  jpeg: Uint8Array;
  fileName: string;
  split: Split;
}

export interface DatasetReport {
  title: string;
  splits: Record<Split, CocoDataset>;
  manifest: Manifest;
  validation: ValidationReport;
  /** Sentences about what was left out or is missing. */
  notices: readonly string[];
  samples: readonly Sample[];
}

/** Report of a split dataset as one self-contained HTML page. */
export function datasetReport({
  title,
  splits,
  manifest,
  validation,
  notices,
  samples,
}: DatasetReport): Promise<string> {
  const { images, duplicates, seed, checksum } = manifest;
  return page({
    title,
    subtitle: `${images.length} images, ${manifest.categories.length} classes, split with seed ${seed}, checksum ${checksum.slice(0, 12)}`,
    sections: [
      { title: 'Splits', content: [splitTable(manifest), ...[duplicateNote(duplicates), ...notices].map(text)] },
      { title: 'Classes', content: classes(manifest) },
      { title: 'Object sizes', content: sizes(splits) },
      { title: 'Objects per image', content: [objectsPerImage(splits)] },
      { title: 'Places and proportions', content: places(splits) },
      {
        title: 'Samples',
        content: [gallery(samples.map(({ jpeg, fileName, split }) => image(jpeg, fileName, `${split}: ${fileName}`)))],
      },
      { title: 'Validation', content: [validationTable(validation)] },
    ],
  });
}

function splitTable({ counts, images, shares }: Manifest): Markup {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const rows = SPLITS.map((split) => {
    const { images: own, background, objects } = counts[split];
    return [split, own, percent(own / images.length), percent(shares[split]), background, objects];
  });
  return table(['split', 'images', 'share', 'wanted', 'background', 'objects'], rows);
}

const duplicateNote = (duplicates: number): string =>
  duplicates === 0
    ? 'No two images are equal or nearly so.'
    : `${duplicates} images have an equal or nearly equal one; these were kept in the same split.`;

function classes({ categories, counts }: Manifest): Markup[] {
  const names = categories.map(({ name }) => name);
  const series = SPLITS.map((split) => ({ name: split, values: names.map((name) => counts[split].categories[name]) }));
  return [
    chart(barChart(names, series, { y: 'objects', width: 760 }), 'Objects of each class in each split'),
    table(
      ['class', ...SPLITS],
      names.map((name, i) => [name, ...series.map(({ values }) => values[i])]),
    ),
  ];
}

function sizes(splits: DatasetReport['splits']): Markup[] {
  const names = Object.keys(SIZES) as (keyof typeof SIZES)[];
  const labels = ['small, below 32²', 'medium', 'large, from 96²'];
  const series = SPLITS.map((split) => {
    const { annotations } = splits[split];
    const values = names.map((name) => {
      const [low, high] = SIZES[name];
      return annotations.filter(({ area }) => area >= low && area < high).length;
    });
    return { name: split, values };
  });
  const sides = annotationsOf(splits).map(({ area }) => Math.sqrt(area));
  return [
    chart(barChart(labels, series, { y: 'objects' }), 'Small, medium and large objects in each split'),
    chart(
      histogram(sides, { x: 'square root of the area, pixels', y: 'objects', logBins: true }),
      'Histogram of object sizes',
    ),
  ];
}

function objectsPerImage(splits: DatasetReport['splits']): Markup {
  const counts = SPLITS.map((split) => {
    const { images, annotations } = splits[split];
    const objects = new Map(images.map(({ id }) => [id, 0]));
    for (const { image_id: id } of annotations) objects.set(id, (objects.get(id) ?? 0) + 1);
    return { name: split, objects: [...objects.values()].map((count) => Math.min(count, MOST_OBJECTS)) };
  });
  const most = Math.max(...counts.flatMap(({ objects }) => objects));
  const labels = Array.from({ length: most + 1 }, (_, n) => (n < MOST_OBJECTS ? `${n}` : `${n}+`));
  const series = counts.map(({ name, objects }) => ({
    name,
    values: labels.map((_, n) => objects.filter((count) => count === n).length),
  }));
  return chart(barChart(labels, series, { x: 'objects', y: 'images', width: 760 }), 'Images by number of objects');
}

/** Shows where the centres of boxes lie in their images, and the aspect ratios of boxes. */
function places(splits: DatasetReport['splits']): Markup[] {
  const counts = Array.from({ length: CELLS }, () => new Array<number>(CELLS).fill(0));
  for (const split of SPLITS) {
    const sizeOf = new Map(splits[split].images.map(({ id, width, height }) => [id, [width, height]]));
    for (const {
      image_id: id,
      bbox: [x, y, w, h],
    } of splits[split].annotations) {
      const [width, height] = sizeOf.get(id) ?? [1, 1];
      const cell = (share: number) => Math.min(CELLS - 1, Math.floor(share * CELLS));
      counts[cell((y + h / 2) / height)][cell((x + w / 2) / width)]++;
    }
  }
  const most = Math.max(...counts.flat());
  const edges = Array.from({ length: CELLS }, (_, i) => `${Math.round((100 * i) / CELLS)} %`);
  const shares = counts.map((row) => row.map((count) => count / most));
  const texts = counts.map((row) => row.map(() => ''));
  const ratios = annotationsOf(splits).map(({ bbox: [, , width, height] }) => width / height);
  return [
    chart(
      heatmap(edges, edges, shares, texts, { title: 'Box centres', width: 480, height: 440 }),
      'Map of box centres',
    ),
    chart(histogram(ratios, { title: 'Width to height', y: 'objects', logBins: true }), 'Histogram of box proportions'),
  ];
}

function validationTable({ counts }: ValidationReport): Markup {
  const kinds = (Object.keys(counts) as ProblemKind[]).filter((kind) => counts[kind] > 0);
  if (kinds.length === 0) return text('Nothing had to be repaired or left out.');
  return table(
    ['problem in the source', 'times'],
    kinds.map((kind) => [PROBLEMS[kind], counts[kind]]),
  );
}

const annotationsOf = (splits: DatasetReport['splits']) => SPLITS.flatMap((split) => splits[split].annotations);
