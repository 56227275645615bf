import { UserError } from '../../base/errors.js';
import { log } from '../../base/progress.js';
import type { Config } from '../../config/schema.js';
import { type EvaluationSummary, summarize } from '../../data/coco_eval/summary.js';
import { readCoco } from '../../data/sources/coco.js';
import { describeReport, PROBLEMS, type ProblemKind, type ValidationReport } from '../../data/validation.js';
import { type ModelSource, openDetector } from '../open_detector.js';
import { evaluateDetector } from './evaluate.js';
import { type EvaluationFiles, prepareFolder, writeEvaluation } from './evaluation_files.js';
import { applyGate, describeGate, type Gate } from './gate.js';
import { type CategoryMatch, matchCategories, toCategories } from './match_categories.js';

/** Most names listed individually. */
const MOST_NAMES = 5;

export interface DatasetEvalOptions {
  model: ModelSource;
  /** Folder of the images, and COCO annotations. */
  images: string;
  annotations: string;
  /** Uses `eval`, the limits in `data`, and `pack.agnostic`. */
  config: Config;
  /** Folder for the report, metrics, detections and annotated images. */
  out?: string;
  /** Fail if part of the dataset is left out. */
  strict?: boolean;
}

export interface DatasetEvaluation extends EvaluationSummary, Partial<EvaluationFiles> {
  /** Number of images evaluated, and listed in the COCO file. */
  images: number;
  listed_images: number;
  /** Number of images, annotations and categories left out, by kind of problem. */
  left_out: Record<string, number>;
  /** Categories that only the dataset or only the model has. */
  unknown_to_model: string[];
  unknown_to_dataset: string[];
  images_per_second: number;
  thresholds: { confidence: number; iou: number; maxDetections: number; agnostic: boolean };
  gate: Gate;
}

/**
 * Evaluates any model on any COCO folder. Logs and counts what is left out of the dataset.
 *
 * @throws UserError if nothing can be evaluated, `strict` is set and something is left out, or `out` cannot hold
 * outputs
 */
export async function evaluateOnDataset(options: DatasetEvalOptions): Promise<DatasetEvaluation> {
  const { model, images, annotations, config, out, strict = false } = options;
  const { maxPixels, decodeTimeout } = config.data;
  const limits = { maxPixels, decodeTimeout };
  if (out !== undefined) {
    await prepareFolder(out, [images, annotations, 'weights' in model ? model.weights : model.bundle]);
  }
  const { dataset, report, pathOf } = await readCoco(images, annotations, limits);
  for (const line of describeReport(report)) log(line);
  const leftOut = countDropped(report);
  if (strict) refusePart(annotations, leftOut);

  const detector = await openDetector(model);
  try {
    const match = matchCategories(
      detector.categories.map(({ name }) => name),
      dataset,
    );
    tellUnmatched(match);
    const { confidence, iou, maxDetections, minMap50, images } = config.eval;
    const thresholds = { confidence, iou, maxDetections, agnostic: config.pack.agnostic };
    const result = await evaluateDetector(
      async (image) => toCategories(await detector.detect(image, thresholds), match),
      dataset,
      pathOf,
      { fit: detector.size, limits, skipUnreadable: !strict },
    );
    for (const { image, reason } of result.unreadable) log(`${image.file_name}: left out: ${reason}`);
    if (result.unreadable.length > 0) {
      leftOut.unreadableImage = (leftOut.unreadableImage ?? 0) + result.unreadable.length;
    }
    const summary = summarize(result.evaluation);
    const gate = applyGate(summary, minMap50);
    const listed = dataset.images.length + countImages(report);
    const about = {
      images: result.dataset.images.length,
      listed_images: listed,
      left_out: leftOut,
      unknown_to_model: match.unknownToModel,
      unknown_to_dataset: match.unknownToDataset,
      thresholds,
      gate,
    };
    const remarks = [...describeGate(gate, summary), ...describePart(about)];
    const files =
      out === undefined
        ? {}
        : await writeEvaluation(out, pathOf, result, {
            title: `Evaluation of ${detector.name}`,
            remarks: [
              ...remarks,
              `Detections at confidence ${confidence} and above, at most ${maxDetections} an image, non-maximum suppression at IoU ${iou}.`,
            ],
            confidence: detector.thresholds.confidence,
            images,
            extra: about,
          });
    return { ...summary, ...files, ...about, images_per_second: result.imagesPerSecond };
  } finally {
    await detector.close();
  }
}

/** Sentences about what the figures do not cover; none if they cover everything. */
export function describePart({
  images,
  listed_images,
  left_out,
  unknown_to_model,
}: Pick<DatasetEvaluation, 'images' | 'listed_images' | 'left_out' | 'unknown_to_model'>): string[] {
  const kinds = Object.entries(left_out).map(([kind, count]) => `${count} × ${PROBLEMS[kind as ProblemKind]}`);
  return [
    ...(images === listed_images ? [] : [`Only ${images} of the ${listed_images} images listed were evaluated.`]),
    ...(kinds.length === 0 ? [] : [`Left out: ${kinds.join('; ')}.`]),
    ...(unknown_to_model.length === 0
      ? []
      : [`The model has no class ${some(unknown_to_model)}: AP is 0 there, where there are objects.`]),
  ];
}

const some = (names: readonly string[]): string =>
  names.length > MOST_NAMES
    ? `${names.slice(0, MOST_NAMES).join(', ')} and ${names.length - MOST_NAMES} more`
    : names.join(', ');

function countDropped({ items }: ValidationReport): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind, action } of items) if (action === 'dropped') counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** Number of image entries left out. */
function countImages({ items }: ValidationReport): number {
  return items.filter(({ action, where }) => action === 'dropped' && where.startsWith('images[')).length;
}

function refusePart(annotations: string, leftOut: Record<string, number>): void {
  const kinds = Object.entries(leftOut).map(([kind, count]) => `${count} ${kind}`);
  if (kinds.length === 0) return;
  throw new UserError({
    where: annotations,
    expected: 'a dataset without entries to leave out (--strict)',
    received: kinds.join(', '),
    hint: 'Fix or remove these entries.',
  });
}

function tellUnmatched({ unknownToDataset }: CategoryMatch): void {
  if (unknownToDataset.length === 0) return;
  log(`model-eval: the dataset has no category ${some(unknownToDataset)}: detections of these classes are left out`);
}
