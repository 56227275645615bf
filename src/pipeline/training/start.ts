import { UserError } from '../../base/errors.js';
import { log } from '../../base/progress.js';
import type { Architecture } from '../../config/network.js';
import { LEGACY_PREPROCESS, type Preprocess } from '../../config/preprocess.js';
import type { Config } from '../../config/schema.js';
import { COCO_CLASSES } from '../../detect/categories.js';
import type { CocoCategory } from '../../detect/coco.js';
import { type FitReport, fitWeights } from '../../model/weights/fit.js';
import { initialWeights } from '../../model/weights/init.js';
import { type LoadedWeights, loadWeights } from '../../model/weights/load.js';
import type { Weights } from '../../model/weights/weights.js';

export interface Start {
  weights: Weights;
  /** Whether the weights are pretrained, not random. */
  pretrained: boolean;
  /** Normalise with the stored statistics, because it was requested or there are no others. */
  fixedBatchNorm: boolean;
  /** For people. */
  source: string;
}

/** Initial weights: random, or from a file, fitted to the run's classes. */
export async function startingWeights(
  { train, model }: Config,
  architecture: Architecture,
  categories: readonly CocoCategory[],
): Promise<Start> {
  if (train.weights === null) {
    const fixedBatchNorm = train.batchNorm === 'fixed';
    return {
      weights: initialWeights(architecture, train.seed),
      pretrained: false,
      fixedBatchNorm,
      source: 'from scratch',
    };
  }
  const loaded = await loadWeights(train.weights);
  checkColours(loaded, model.preprocess);
  const classRows = matchClasses(loaded, categories);
  const { weights, report } = fitWeights(loaded.weights, architecture, {
    classRows,
    seed: train.seed,
    where: train.weights,
  });
  describeFit(report, train.weights, classRows);
  const fixedBatchNorm = train.batchNorm === 'fixed' || (train.batchNorm === 'auto' && loaded.folded);
  if (loaded.folded) {
    log(`${train.weights}: batch norms are folded into the convolutions; training keeps their statistics fixed`);
  }
  return { weights, pretrained: true, fixedBatchNorm, source: `fine-tuned from sha256:${loaded.sha256}` };
}

/** With colours they were not trained on, weights find nothing, and training hides that for hours. */
function checkColours({ legacy, path }: LoadedWeights, { color }: Preprocess): void {
  if (legacy === null || (color === LEGACY_PREPROCESS.color) === legacy) return;
  const { mean, std } = LEGACY_PREPROCESS;
  const wanted = legacy
    ? `{color: rgb, scale: ${1 / 255}, mean: [${mean}], std: [${std}]}`
    : '{color: bgr, scale: 1, mean: [0, 0, 0], std: [1, 1, 1]}';
  throw new UserError({
    where: path,
    field: 'model.preprocess',
    expected: `the preprocessing these weights ${legacy ? 'from before YOLOX 0.1.1 ' : ''}were trained with`,
    received: `color ${color}`,
    hint: `Set model.preprocess to ${wanted}, with your size.`,
  });
}

/** For each category, finds the class of the weights with the same name; unnamed weights with 80 classes are COCO's. */
function matchClasses(
  { weights, info }: LoadedWeights,
  categories: readonly CocoCategory[],
): (number | null)[] | undefined {
  const classes = weights.get('head.cls_preds.0.weight')?.shape[0];
  const names = info?.categories ?? (classes === COCO_CLASSES.length ? COCO_CLASSES : undefined);
  if (!names) return undefined;
  return categories.map(({ name }) => {
    const index = names.findIndex((category) => category.name === name);
    return index < 0 ? null : index;
  });
}

function describeFit(report: FitReport, path: string, classRows?: readonly (number | null)[]): void {
  const { loaded, missing, unexpected, mismatched, reinitialised } = report;
  const carried = classRows?.filter((row) => row !== null).length ?? 0;
  log(`${path}: ${loaded} tensors loaded, ${missing.length} missing, ${unexpected.length} unexpected`);
  for (const name of missing) log(`  missing: ${name}`);
  for (const name of unexpected) log(`  unexpected: ${name}`);
  for (const { name, expected, received } of mismatched)
    log(`  ${name}: [${received}] in the file, [${expected}] here`);
  if (!classRows) {
    const fate = reinitialised.length > 0 ? 'their heads start afresh' : 'their heads are taken over in their order';
    log(`  the file does not name its classes: ${fate}; \`npx yolox-node import-weights --classes\` names them`);
  }
  if (carried > 0) log(`  ${carried} of ${classRows?.length} classes keep their weights by name`);
  if (reinitialised.length > 0) log(`  newly initialised: ${reinitialised.join(', ')}`);
}
