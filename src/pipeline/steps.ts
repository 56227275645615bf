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

/** Records of the earlier steps. */
export type Done = { [Name in StepName]: Lineage<Name> };

/** SHA-256 by step and file: `data-prep/train/images.parquet`. */
type InputFiles = Record<string, string>;

interface Step<Name extends StepName> {
  /** Files of earlier steps that this one reads; it runs again only if one of them changes. */
  inputs(done: Done, config: Config): InputFiles | Promise<InputFiles>;
  /** Folders of tables whose images it reads from the store. */
  images(done: Outputs): string[];
  run(done: Outputs, context: StepContext): Promise<Outputs[Name]>;
  /** Failures in the outputs. A step with failures is not finished and runs again next time. */
  failures?(outputs: Outputs[Name]): readonly string[];
  /** Reports and judges finished outputs with other settings (see `shownSettings`), without repeating the work. */
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
      // If killed in between, the step runs again.
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

/** Files of a step whose names start with one of these prefixes; by default all. */
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

/** Files of a bundle, ignoring the time of packing in its manifest. */
async function bundleFiles(packed: Lineage<'model-pack'>): Promise<InputFiles> {
  const { created, ...manifest } = await readJson<{ created: string }>(join(packed.outputs.bundle, BUNDLE_FILE));
  return {
    ...filesOf(packed, 'bundle/'),
    [`model-pack/bundle/${BUNDLE_FILE}`]: sha256(JSON.stringify(manifest)),
  };
}

/** Tuning saved in the bundle since, which a server would use. */
async function tuningOf({ outputs }: Lineage<'model-pack'>): Promise<InputFiles> {
  const path = join(outputs.bundle, TUNING_FILE);
  return existsSync(path) ? { [`model-pack/bundle/${TUNING_FILE}`]: await sha256File(path) } : {};
}

/** Evaluates the initial weights on the test split. */
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
