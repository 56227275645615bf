import { readdir, rm } from 'node:fs/promises';
import { join, parse } from 'node:path';
import { UserError } from '../../base/errors.js';
import { fileName } from '../../base/file_name.js';
import { makeDir, writeAtomic, writeJson } from '../../base/files.js';
import { refuseReplacing } from '../../base/outputs.js';
import { bestPoint, operatingPoints } from '../../data/coco_eval/confidence.js';
import { classifyOutcomes, confusionMatrix, type Outcome } from '../../data/coco_eval/confusion.js';
import { summarize } from '../../data/coco_eval/summary.js';
import type { CocoDataset, CocoImage } from '../../detect/coco.js';
import { CHECKED, decodeImage } from '../../image/decode.js';
import { type Baseline, evalReport, type ReportImage } from '../../report/eval_report.js';
import { annotateOutcomes, chooseImages, describeOutcomes } from '../../report/outcome_images.js';
import type { DetectorEvaluation } from './evaluate.js';

export interface EvaluationFilesOptions {
  title: string;
  /** Sentences above the figures. */
  remarks: readonly string[];
  /** Confidence of matrix and images, as a user of the model would see them; AP also counts lower scores. */
  confidence: number;
  /** Number of annotated images. */
  images: number;
  before?: Baseline;
  /** Further entries of metrics.json. */
  extra?: object;
}

/** Paths of the written files. */
export interface EvaluationFiles {
  report: string;
  metrics: string;
  detections: string;
  /** Folder of annotated images. */
  annotated: string;
}

const [REPORT, METRICS, DETECTIONS, IMAGES] = ['report.html', 'metrics.json', 'detections.json', 'images'];

/**
 * Creates the output folder of an evaluation.
 * @param inputs files and folders that must not lie inside it
 * @throws UserError if it contains anything but an earlier evaluation
 */
export async function prepareFolder(dir: string, inputs: readonly string[]): Promise<void> {
  await refuseReplacing(dir, inputs);
  await makeDir(dir);
  const names = await readdir(dir);
  if (names.length === 0 || [REPORT, METRICS, DETECTIONS].every((name) => names.includes(name))) return;
  throw new UserError({
    where: '--out',
    expected: 'a new or empty folder, or that of an earlier evaluation, which is replaced',
    received: dir,
    hint: `It holds ${names.slice(0, 3).join(', ')}${names.length > 3 ? ' …' : ''}.`,
  });
}

/** Writes detections.json (COCO results), metrics.json, report.html and images/ into `dir`. */
export async function writeEvaluation<Listed extends CocoImage>(
  dir: string,
  pathOf: (image: Listed) => string,
  { dataset, detections, evaluation, imagesPerSecond }: DetectorEvaluation<Listed>,
  { title, remarks, confidence, images: maxImages, before, extra }: EvaluationFilesOptions,
): Promise<EvaluationFiles> {
  const files = {
    report: join(dir, REPORT),
    metrics: join(dir, METRICS),
    detections: join(dir, DETECTIONS),
    annotated: join(dir, IMAGES),
  };
  const { categories, images, annotations } = dataset;
  const outcomes = classifyOutcomes(dataset, detections, { confidence });
  const confusion = { confidence, categories, matrix: confusionMatrix(outcomes.values(), categories) };
  const points = operatingPoints(evaluation.categories.map(({ matches }) => matches));
  await writeJson(files.detections, detections);
  await writeJson(files.metrics, {
    ...summarize(evaluation),
    images: images.length,
    images_per_second: imagesPerSecond,
    ...extra,
    before,
    best_f1: bestPoint(points),
    confusion,
    operating_points: points,
  });
  const html = await evalReport({
    title,
    subtitle: `${images.length} images, ${annotations.length} objects, ${detections.length} detections`,
    remarks,
    evaluation,
    before,
    points,
    confusion,
    images: await drawImages(files.annotated, dataset, outcomes, pathOf, maxImages),
  });
  await writeAtomic(files.report, html);
  return files;
}

/** Empties the folder `dir`, draws the chosen images into it, and returns them for the report. */
async function drawImages<Listed extends CocoImage>(
  dir: string,
  { images, categories }: CocoDataset<Listed>,
  outcomes: ReadonlyMap<number, readonly Outcome[]>,
  pathOf: (image: Listed) => string,
  count: number,
): Promise<ReportImage[]> {
  await rm(dir, { recursive: true, force: true });
  await makeDir(dir);
  const byId = new Map(images.map((image) => [image.id, image]));
  const drawn: ReportImage[] = [];
  for (const { gallery, imageId } of chooseImages(outcomes, count)) {
    const image = byId.get(imageId) as Listed;
    const own = outcomes.get(imageId) ?? [];
    const jpeg = await annotateOutcomes(await decodeImage(pathOf(image), CHECKED), own, categories);
    const number = String(drawn.length + 1).padStart(3, '0');
    const stem = `${number}_${gallery.replace(' ', '_')}_${parse(image.file_name).name}`;
    await writeAtomic(join(dir, fileName(stem, '.jpg')), jpeg);
    drawn.push({ gallery, jpeg, caption: `${image.file_name}: ${describeOutcomes(own)}` });
  }
  return drawn;
}
