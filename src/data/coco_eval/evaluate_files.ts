import { readDetections, readGroundTruth } from './files.js';
import { evaluateCoco } from './index.js';
import { type Notice, Notices } from './notices.js';
import { type EvaluationSummary, summarize } from './summary.js';

export interface FileEvaluation extends EvaluationSummary {
  /** Number of entries that count. */
  images: number;
  objects: number;
  detections: number;
  /** What was left out, or interpreted differently than its author may expect. */
  notices: Notice[];
}

/**
 * Evaluates a results file against a ground truth, with the figures of pycocotools; `per_category` is keyed by the ids
 * in the file.
 *
 * @throws UserError if pycocotools would refuse the files, or its figures would be meaningless
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
