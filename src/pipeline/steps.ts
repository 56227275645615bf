import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readJson, sha256, sha256File } from '../base/files.js';
import type { Config } from '../config/schema.js';
import { readDataset } from '../data/tables.js';
import { BUNDLE_FILE } from '../detect/bundle.js';
import type { StoredImage } from '../detect/coco.js';
import { TUNING_FILE } from '../detect/tuning.js';
import { TfDetector } from '../model/tf_detector.js';
import { dataLoad } from './data_load.js';
import { dataPrep } from './data_prep.js';
import { evaluateDetector } from './evaluation/evaluate.js';
import { modelEval, showEvaluation } from './model_eval.js';
import { modelPack } from './model_pack.js';
import { modelTest } from './model_test.js';
import { modelTrain } from './model_train.js';
import type { Outputs } from './outputs.js';
import { type Lineage, markUnfinished } from './runner/record.js';
import type { StepContext, StepName } from './runner/step.js';
import { judgeAgain } from './service_test/load_gate.js';

/** The records of the steps before. */
export type Done = { [Name in StepName]: Lineage<Name> };

/** SHA-256 by step and file: `data-prep/train/images.parquet`. */
type InputFiles = Record<string, string>;

interface Step<Name extends StepName> {
  /** The files of earlier steps that go in: only a change of one of them is a reason to run again. */
  inputs(done: Done, config: Config): InputFiles | Promise<InputFiles>;
  /** Folders of tables whose images it reads from the store. */
  images(done: Outputs): string[];
  run(done: Outputs, context: StepContext): Promise<Outputs[Name]>;
  /** What of the outputs is not good enough. Such a step is not finished: the next run does it again. */
  failures?(outputs: Outputs[Name]): readonly string[];
  /** Shows and judges finished outputs by other settings (see `shownSettings`), without the work before. */
  show?(outputs: Outputs[Name], done: Outputs, context: StepContext): Promise<Outputs[Name]>;
}

/** The pipeline, in order. */
export const STEPS: { [Name in StepName]: Step<Name> } = {
  'data-load': {
    inputs: () => ({}),
    images: () => [],
    run: (_, context) => dataLoad(context),
  },
  'data-prep': {
    inputs: (done) => filesOf(done['data-load']),
    images: (done) => [done['data-load'].dataset],
    run: (done, context) => dataPrep({ dataset: done['data-load'].dataset }, context),
  },
  'model-train': {
    inputs: (done) => filesOf(done['data-prep'], 'train/', 'val/'),
    images: (done) => [done['data-prep'].train, done['data-prep'].val],
    run: (done, context) => modelTrain(done['data-prep'], context),
  },
  'model-pack': {
    inputs: (done, { pack }) => ({
      ...filesOf(done['data-prep'], 'test/'),
      'model-train/checkpoint': checkpointHash(done['model-train'], pack.checkpoint),
    }),
    images: (done) => [done['data-prep'].test],
    async run(done, context) {
      const { test } = done['data-prep'];
      const { categories } = await readDataset(test);
      const checkpoint = done['model-train'][context.config.pack.checkpoint];
      return modelPack({ checkpoint, testDataset: test, categories }, context);
    },
  },
  'model-eval': {
    inputs: async (done) => ({
      ...filesOf(done['data-prep'], 'test/'),
      ...filesOf(done['model-train'], 'initial.safetensors'),
      ...(await bundleFiles(done['model-pack'])),
    }),
    images: (done) => [done['data-prep'].test],
    async run(done, context) {
      const { test } = done['data-prep'];
      const { initial } = done['model-train'];
      const before = initial === null ? undefined : await evaluateStart(initial, test, context);
      return modelEval({ bundle: done['model-pack'].bundle, dataset: test, before }, context);
    },
    async show(outputs, done, context) {
      // A kill in between leaves a step that is run again.
      await markUnfinished(context.dir);
      return showEvaluation(outputs, { bundle: done['model-pack'].bundle, dataset: done['data-prep'].test }, context);
    },
  },
  'model-test': {
    inputs: async (done) => ({ ...(await bundleFiles(done['model-pack'])), ...(await tuningOf(done['model-pack'])) }),
    images: () => [],
    run: (done, context) => modelTest({ bundle: done['model-pack'].bundle }, context),
    failures: ({ failures }) => failures,
    show: (outputs, _, context) => judgeAgain(outputs, context),
  },
};

/** The files a step left whose names begin so; all of them by default. */
function filesOf({ step, files }: Lineage, ...beginnings: string[]): InputFiles {
  const wanted = (name: string) =>
    beginnings.length === 0 || beginnings.some((beginning) => name.startsWith(beginning));
  return Object.fromEntries(
    Object.entries(files)
      .filter(([name]) => wanted(name))
      .map(([name, file]) => [`${step}/${name}`, file.sha256]),
  );
}

function checkpointHash({ outputs, files }: Lineage<'model-train'>, checkpoint: 'best' | 'last'): string {
  return files[basename(outputs[checkpoint])].sha256;
}

/** The files of a bundle; of its manifest all but the time of packing. */
async function bundleFiles(packed: Lineage<'model-pack'>): Promise<InputFiles> {
  const { created, ...manifest } = await readJson<{ created: string }>(join(packed.outputs.bundle, BUNDLE_FILE));
  return {
    ...filesOf(packed, 'bundle/'),
    [`model-pack/bundle/${BUNDLE_FILE}`]: sha256(JSON.stringify(manifest)),
  };
}

/** What `yolox-node tune` saved in the bundle since: a server goes by it. */
async function tuningOf({ outputs }: Lineage<'model-pack'>): Promise<InputFiles> {
  const path = join(outputs.bundle, TUNING_FILE);
  return existsSync(path) ? { [`model-pack/bundle/${TUNING_FILE}`]: await sha256File(path) } : {};
}

/** What the weights that training started from make of the test split. */
async function evaluateStart(weights: string, split: string, { config, store }: StepContext) {
  const detector = await TfDetector.open(weights);
  const { confidence, iou, maxDetections } = config.eval;
  const thresholds = { confidence, iou, maxDetections, agnostic: config.pack.agnostic };
  const pathOf = (image: StoredImage) => store.imagePath(image);
  const dataset = await readDataset(split);
  const label = 'before fine-tuning';
  const { evaluation } = await evaluateDetector((image) => detector.detect(image, thresholds), dataset, pathOf, {
    label,
    fit: detector.size,
  });
  await detector.close();
  return { label, stats: evaluation.stats };
}
