import { UserError } from '../base/errors.js';
import { readJson } from '../base/files.js';
import { log } from '../base/progress.js';
import type { Figure } from '../data/coco_eval/accumulate.js';
import { evaluateCoco } from '../data/coco_eval/index.js';
import { type EvaluationSummary, formatFigure, summarize } from '../data/coco_eval/summary.js';
import { readDataset } from '../data/tables.js';
import { type Bundle, readBundle } from '../detect/bundle.js';
import type { CocoCategory, CocoDataset, CocoDetection, StoredImage } from '../detect/coco.js';
import { OnnxDetector } from '../detect/onnx_detector.js';
import type { Baseline } from '../report/eval_report.js';
import { type DetectorEvaluation, evaluateDetector } from './evaluation/evaluate.js';
import { type EvaluationFiles, writeEvaluation } from './evaluation/evaluation_files.js';
import { applyGate, describeGate, type Gate } from './evaluation/gate.js';
import type { StepContext } from './runner/step.js';

export interface ModelEvalInputs {
  /** Folder of the bundle. */
  bundle: string;
  /** Folder of the split, written by `writeDataset`. */
  dataset: string;
  /** An earlier evaluation on the same split, for comparison. */
  before?: Baseline;
}

export interface ModelEvalOutputs extends EvaluationSummary, EvaluationFiles {
  images: number;
  images_per_second: number;
  gate: Gate;
  /** AP of the initial weights on the same split; null when trained from scratch. */
  before: { label: string; map: Figure; map50: Figure } | null;
}

/**
 * Runs the bundle on a split and writes detections, metrics, report and annotated images. A missed gate is part of the
 * outputs, not an error, because there is a report to look at.
 * @throws UserError if the split has a category that the bundle does not know
 */
export async function modelEval(inputs: ModelEvalInputs, context: StepContext): Promise<ModelEvalOutputs> {
  const bundle = await readBundle(inputs.bundle);
  const dataset = await readDataset(inputs.dataset);
  checkCategories(bundle.categories, dataset.categories, inputs);
  const pathOf = (image: StoredImage) => context.store.imagePath(image);
  const result = await detectAll(bundle, dataset, pathOf, context);
  return writeOutputs(bundle, dataset, result, inputs.before, context);
}

/**
 * Judges and reports an evaluation again from its detections, with the current gate and number of images.
 * @param earlier outputs of {@link modelEval}
 */
export async function showEvaluation(
  earlier: ModelEvalOutputs,
  inputs: Omit<ModelEvalInputs, 'before'>,
  context: StepContext,
): Promise<ModelEvalOutputs> {
  const bundle = await readBundle(inputs.bundle);
  const dataset = await readDataset(inputs.dataset);
  const detections = await readJson<CocoDetection[]>(earlier.detections);
  const { before } = await readJson<{ before?: Baseline }>(earlier.metrics);
  const evaluation = evaluateCoco(dataset, detections);
  const result = { dataset, unreadable: [], detections, evaluation, imagesPerSecond: earlier.images_per_second };
  return writeOutputs(bundle, dataset, result, before, context);
}

async function writeOutputs(
  bundle: Bundle,
  dataset: CocoDataset<StoredImage>,
  result: DetectorEvaluation<StoredImage>,
  before: Baseline | undefined,
  { config, dir, store }: StepContext,
): Promise<ModelEvalOutputs> {
  const pathOf = (image: StoredImage) => store.imagePath(image);
  const summary = summarize(result.evaluation);
  const { minMap50, confidence, iou, maxDetections, images } = config.eval;
  const gate = applyGate(summary, minMap50);
  const files = await writeEvaluation(dir, pathOf, result, {
    title: `Evaluation of ${bundle.name} ${bundle.version}`,
    remarks: [
      ...describeGate(gate, summary),
      `Detections at confidence ${confidence} and above, at most ${maxDetections} an image, non-maximum suppression at ` +
        `IoU ${iou}; ${result.imagesPerSecond.toFixed(1)} images/s.`,
    ],
    confidence: bundle.thresholds.confidence,
    images,
    before,
    extra: { gate, thresholds: { confidence, iou, maxDetections } },
  });
  log(`model-eval: AP ${formatFigure(summary.map, 4)}, AP50 ${formatFigure(summary.map50, 4)}, report ${files.report}`);
  return {
    ...summary,
    ...files,
    images: dataset.images.length,
    images_per_second: result.imagesPerSecond,
    gate,
    before: before ? { label: before.label, map: before.stats[0], map50: before.stats[1] } : null,
  };
}

async function detectAll(
  bundle: Bundle,
  dataset: CocoDataset<StoredImage>,
  pathOf: (image: StoredImage) => string,
  { config }: StepContext,
): Promise<DetectorEvaluation<StoredImage>> {
  const { confidence, iou, maxDetections } = config.eval;
  const detector = await OnnxDetector.open(bundle, { threads: config.serve.threads ?? 0 });
  try {
    return await evaluateDetector(
      (image) => detector.detect(image, { confidence, iou, maxDetections }),
      dataset,
      pathOf,
      {
        fit: bundle.preprocess.size,
        categories: bundle.categories,
        label: 'model-eval',
      },
    );
  } finally {
    await detector.close();
  }
}

function checkCategories(
  known: readonly CocoCategory[],
  wanted: readonly CocoCategory[],
  { bundle, dataset }: ModelEvalInputs,
): void {
  const names = new Map(known.map(({ id, name }) => [id, name]));
  const stray = wanted.find(({ id, name }) => names.get(id) !== name);
  if (!stray) return;
  throw new UserError({
    where: dataset,
    field: 'categories',
    expected: `the categories of ${bundle}`,
    received: `${stray.id} ${stray.name}`,
    hint: 'Evaluate on a split that was prepared with the categories the model was trained on.',
  });
}
