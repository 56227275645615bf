import { readDetections, readGroundTruth } from './files.js';
import { evaluateCoco } from './index.js';
import { type Notice, Notices } from './notices.js';
import { type EvaluationSummary, summarize } from './summary.js';

export interface FileEvaluation extends EvaluationSummary {
  /** Entries that count. */
  images: number;
  objects: number;
  detections: number;
  /** What was left out, or taken otherwise than its author may think. */
  notices: Notice[];
}

/**
 * The figures pycocotools gives for a ground truth and a results file; `per_category` is keyed by the file's own ids.
 *
 * @throws UserError where pycocotools refuses the files, or its figures would make no sense
 */
export async function evaluateFiles(gt: string, dt: string): Promise<FileEvaluation> {
  const collected = new Notices();
  const truth = await readGroundTruth(gt, collected);
  const detections = await readDetections(dt, truth, collected);
  const evaluation = evaluateCoco(truth.dataset, detections, { zeroIdIsNone: true });
  const sources = new Map([...truth.categoryIds].map(([source, id]) => [id, String(source)]));
  const summary = summarize(evaluation, ({ id }) => sources.get(id) as string);
  const objects = evaluation.categories.reduce((sum, category) => sum + category.objects, 0);
  if (objects === 0) collected.add('noObjects', gt);
  return { ...summary, images: truth.imageIds.size, objects, detections: detections.length, notices: collected.list };
}
