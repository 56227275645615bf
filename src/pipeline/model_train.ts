import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withEnd } from '../base/ending.js';
import { writeAtomic } from '../base/files.js';
import { median } from '../base/math.js';
import { formatSeconds, log, type Progress, startProgress } from '../base/progress.js';
import type { Architecture } from '../config/network.js';
import type { Figure } from '../data/coco_eval/accumulate.js';
import { formatFigure } from '../data/coco_eval/summary.js';
import { readDataset } from '../data/tables.js';
import type { CocoDataset, StoredImage } from '../detect/coco.js';
import { learningRate } from '../model/schedule.js';
import { TfDetector } from '../model/tf_detector.js';
import { type StepResult, TrainState } from '../model/train_state.js';
import type { Weights } from '../model/weights/weights.js';
import { trainingReport } from '../report/training_report.js';
import { evaluateDetector } from './evaluation/evaluate.js';
import type { StepContext } from './runner/step.js';
import { loadResume, type RunProgress, saveResume, saveWeights } from './training/checkpoint.js';
import { diverged, explainStepError } from './training/divergence.js';
import { toExamples } from './training/examples.js';
import { type Batch, BatchLoader } from './training/loader.js';
import { readLog, TrainingLog } from './training/log.js';
import { startingWeights } from './training/start.js';

export interface ModelTrainInputs {
  /** Folders of the splits' tables. */
  train: string;
  val: string;
}

export interface ModelTrainOutputs {
  /** Averaged weights of the best validated epoch (the last epoch if no AP could be measured) and of the last epoch. */
  best: string;
  last: string;
  /** Initial weights, fitted to the classes; null when training from scratch. */
  initial: string | null;
  log: string;
  report: string;
  epochs: number;
  /** AP of the best epoch on the validation split; null if the split has no objects. */
  map: Figure;
  map50: Figure;
  images_per_second: number;
  seconds: number;
}

/** State shared by the epochs of a run. */
interface Run {
  context: StepContext;
  state: TrainState;
  loader: BatchLoader;
  log: TrainingLog;
  architecture: Architecture;
  val: CocoDataset<StoredImage>;
  source: string;
}

/**
 * Trains YOLOX on the train split, validating on the val split. After an interruption, the next call continues after
 * the last completed epoch and, on a CPU, gives the same losses as an uninterrupted run.
 */
export async function modelTrain(inputs: ModelTrainInputs, context: StepContext): Promise<ModelTrainOutputs> {
  const started = performance.now();
  const { config, dir, store } = context;
  const [train, val] = await Promise.all([readDataset(inputs.train), readDataset(inputs.val)]);
  const { depth, width, depthwise } = config.model;
  const architecture = { depth, width, depthwise, classes: train.categories.length };
  const start = await startingWeights(config, architecture, train.categories);
  const initial = start.pretrained ? join(dir, 'initial.safetensors') : null;
  if (initial) await saveWeights(initial, start.weights, checkpointInfo(context, architecture, train, 0, start.source));

  const resumed = await loadResume(dir);
  const progress: RunProgress = resumed?.progress ?? { epoch: 0, bestMap: null, bestEpoch: 0, stale: 0 };
  if (resumed) log(`model-train: resuming after epoch ${progress.epoch}`);
  tellUnmeasured(val);
  const run: Run = {
    context,
    state: new TrainState(resumed?.snapshot ?? start.weights, architecture, {
      ...config.train,
      fixedBatchNorm: start.fixedBatchNorm,
    }),
    loader: new BatchLoader(toExamples(train, store), config.model.preprocess, config.train),
    log: await TrainingLog.open(dir, progress.epoch),
    architecture,
    val,
    source: start.source,
  };
  await withEnd(
    () => trainEpochs(run, progress),
    async () => {
      await run.loader.close();
      run.state.dispose();
      run.log.flush();
    },
  );
  const entries = await readLog(run.log.path);
  const report = join(dir, 'report.html');
  await writeAtomic(report, await trainingReport(entries));
  const steps = entries.filter((entry) => entry.event === 'step');
  const best = entries.find((entry) => entry.event === 'validation' && entry.epoch === progress.bestEpoch);
  return {
    best: join(dir, 'best.safetensors'),
    last: join(dir, 'last.safetensors'),
    initial,
    log: run.log.path,
    report,
    epochs: progress.epoch,
    map: progress.bestMap,
    map50: best?.event === 'validation' ? best.map50 : null,
    images_per_second: median(steps.map((entry) => entry.images_per_second)),
    seconds: (performance.now() - started) / 1000,
  };
}

async function trainEpochs(run: Run, progress: RunProgress): Promise<void> {
  const { context, state, architecture, val, source } = run;
  const { dir, config } = context;
  const { epochs, validateEvery, patience } = config.train;
  const info = () => checkpointInfo(context, architecture, val, progress.epoch, source);
  const bar = startProgress('model-train', run.loader.iterationsPerEpoch * epochs);
  try {
    while (progress.epoch < epochs && !(patience !== null && progress.stale >= patience)) {
      await trainEpoch(run, progress.epoch, bar);
      progress.epoch++;
      const weights = finiteWeights(run, progress.epoch);
      if (progress.epoch % validateEvery === 0 || progress.epoch === epochs) {
        const map = await validate(run, weights, progress.epoch);
        if (map !== null) progress.stale++;
        if (map !== null && map > (progress.bestMap ?? -1)) {
          Object.assign(progress, { bestMap: map, bestEpoch: progress.epoch, stale: 0 });
          await saveWeights(join(dir, 'best.safetensors'), weights, info());
        }
      }
      await saveWeights(join(dir, 'last.safetensors'), weights, info());
      await saveResume(dir, state.snapshot(), progress);
      run.log.flush();
    }
  } finally {
    bar.stop();
  }
  if (progress.bestEpoch === 0) await takeLastAsBest(dir, val);
  if (progress.epoch < epochs) {
    log(`model-train: stopped early, no better AP in the last ${progress.stale} validations`);
  }
}

/** Without an AP to compare by, the last weights are as good as any. */
async function takeLastAsBest(dir: string, val: CocoDataset): Promise<void> {
  await writeAtomic(join(dir, 'best.safetensors'), await readFile(join(dir, 'last.safetensors')));
  const reason = hasObjects(val) ? 'no validation gave an AP' : 'the val split has no object to find';
  log(`model-train: ${reason}, so there is no best epoch; best.safetensors holds the weights of the last one`);
}

async function trainEpoch(run: Run, epoch: number, bar: Progress): Promise<void> {
  const { state, loader, context } = run;
  const { train } = context.config;
  const { iterationsPerEpoch } = loader;
  const lastEpochs = epoch >= train.epochs - train.schedule.noAugEpochs;
  const lr = (train.optimizer.lr * train.batch) / 64;
  const length = { iterationsPerEpoch, epochs: train.epochs };
  let before = performance.now();
  for await (const batch of loader.epoch(epoch, !lastEpochs)) {
    const rate = learningRate(state.step + 1, lr, length, train.schedule);
    const result = update(run, batch, rate, lastEpochs);
    const now = performance.now();
    const imagesPerSecond = train.batch / ((now - before) / 1000);
    before = now;
    logStep(run, epoch + 1, rate, batch, result, imagesPerSecond);
    const { total: loss } = result.losses;
    bar.update(
      state.step,
      `epoch ${epoch + 1}/${train.epochs} loss ${loss.toFixed(3)} fg ${result.numFg} ${imagesPerSecond.toFixed(1)} img/s`,
    );
  }
}

function update({ state, context }: Run, { images, labels }: Batch, rate: number, useL1: boolean): StepResult {
  let result: StepResult;
  try {
    result = state.update(images, labels, rate, useL1);
  } catch (error) {
    throw explainStepError(error, context.config.train);
  } finally {
    images.dispose();
  }
  const { total } = result.losses;
  if (Number.isFinite(total) && result.applied) return result;
  const received = Number.isFinite(total) ? 'gradients of infinity or NaN' : `loss ${total}`;
  throw diverged(`step ${state.step}, learning rate ${rate.toPrecision(3)}`, received);
}

/** Returns the weights after an epoch; the last step may have made them non-finite without a later loss to show it. */
function finiteWeights({ state }: Run, epoch: number): Weights {
  const weights = state.averaged();
  for (const [name, { data }] of weights) {
    if (!data.every(Number.isFinite)) throw diverged(`epoch ${epoch}`, `infinity or NaN in ${name}`);
  }
  return weights;
}

function logStep(
  run: Run,
  epoch: number,
  lr: number,
  { size }: Batch,
  { losses, numFg }: StepResult,
  speed: number,
): void {
  const { step } = run.state;
  run.log.write(
    {
      event: 'step',
      epoch,
      step,
      lr,
      loss: losses.total,
      loss_iou: losses.iou,
      loss_obj: losses.obj,
      loss_cls: losses.cls,
      loss_l1: losses.l1,
      num_fg: numFg,
      images_per_second: speed,
      size,
    },
    step,
  );
}

/** AP on the validation split; null if there is none. */
async function validate(run: Run, weights: Weights, epoch: number): Promise<Figure> {
  const { val, architecture, context } = run;
  const { config, store } = context;
  const started = performance.now();
  const detector = new TfDetector({
    weights,
    architecture,
    preprocess: config.model.preprocess,
    categories: val.categories,
    name: `model-train: validation after epoch ${epoch}`,
  });
  const pathOf = (image: StoredImage) => store.imagePath(image);
  const { evaluation } = await withEnd(
    () =>
      evaluateDetector((image) => detector.detect(image, { ...config.eval, agnostic: false }), val, pathOf, {
        fit: config.model.preprocess.size,
      }),
    () => detector.close(),
  );
  const [map, map50] = evaluation.stats;
  run.log.write({ event: 'validation', epoch, map, map50, stats: evaluation.stats }, run.state.step);
  const seconds = formatSeconds((performance.now() - started) / 1000);
  const figures = `AP ${formatFigure(map, 4)}, AP50 ${formatFigure(map50, 4)}`;
  log(`epoch ${epoch}: ${figures} on ${val.images.length} images in ${seconds}`);
  return map;
}

/** Warns before the first epoch that epochs cannot be compared. */
function tellUnmeasured(val: CocoDataset): void {
  if (hasObjects(val)) return;
  log(
    `model-train: the val split has no object to find in its ${val.images.length} images, so there is no AP: ` +
      '"best" will be the weights of the last epoch. Another prep.seed or a larger prep.split.val gives it objects.',
  );
}

/** Whether there are objects to measure AP on; a crowd is not an object. */
const hasObjects = ({ annotations }: CocoDataset): boolean => annotations.some(({ iscrowd }) => !iscrowd);

function checkpointInfo(
  { config }: StepContext,
  architecture: Architecture,
  { categories }: CocoDataset,
  epoch: number,
  source: string,
) {
  return {
    architecture,
    preprocess: config.model.preprocess,
    categories,
    epoch,
    ema: config.train.ema.enabled,
    source,
  };
}
