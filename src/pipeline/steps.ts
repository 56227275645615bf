import type { Config } from '../config/schema.js';
import type { CocoImage } from '../data/coco.js';
import { readDataset } from '../data/tables.js';
import { type DataLoadOutputs, dataLoad } from './data_load.js';
import { type DataPrepOutputs, dataPrep } from './data_prep.js';
import { evaluateDetector } from './evaluate.js';
import { type ModelEvalOutputs, modelEval } from './model_eval.js';
import { type ModelPackOutputs, modelPack } from './model_pack.js';
import { type ModelTestOutputs, modelTest } from './model_test.js';
import { type ModelTrainOutputs, modelTrain } from './model_train.js';
import type { StepContext, StepName } from './step.js';
import { openWeightsDetector } from './weights_detector.js';

/** What each step hands to those after it. */
export interface Outputs {
  'data-load': DataLoadOutputs;
  'data-prep': DataPrepOutputs;
  'model-train': ModelTrainOutputs;
  'model-pack': ModelPackOutputs;
  'model-eval': ModelEvalOutputs;
  'model-test': ModelTestOutputs;
}

interface Step<Name extends StepName> {
  /** The part of the configuration that shapes the outputs: a change of it makes a new output. */
  settings(config: Config): object;
  /** Files and folders from outside that go in. */
  files?(config: Config): string[];
  run(done: Outputs, context: StepContext): Promise<Outputs[Name]>;
}

/** The pipeline, in order. */
export const STEPS: { [Name in StepName]: Step<Name> } = {
  'data-load': {
    settings: ({ data }) => data,
    files: ({ data }) =>
      data.source === 'coco' ? [data.images, data.annotations].filter((path) => path !== null) : [],
    run: (_, context) => dataLoad(context),
  },
  'data-prep': {
    settings: ({ prep }) => prep,
    run: (done, context) => dataPrep({ dataset: done['data-load'].dataset }, context),
  },
  'model-train': {
    settings: ({ model, train, eval: evaluate }) => ({ model, train, evaluate }),
    files: ({ train }) => (train.weights === null ? [] : [train.weights]),
    run: (done, context) => modelTrain(done['data-prep'], context),
  },
  'model-pack': {
    settings: ({ pack }) => pack,
    async run(done, context) {
      const { test } = done['data-prep'];
      const { categories } = await readDataset(test);
      const checkpoint = done['model-train'][context.config.pack.checkpoint];
      return modelPack({ checkpoint, testDataset: test, categories }, context);
    },
  },
  'model-eval': {
    settings: ({ eval: evaluate }) => evaluate,
    async run(done, context) {
      const { test } = done['data-prep'];
      const { initial } = done['model-train'];
      const before = initial === null ? undefined : await evaluateStart(initial, test, context);
      return modelEval({ bundle: done['model-pack'].bundle, dataset: test, before }, context);
    },
  },
  'model-test': {
    settings: ({ test, serve }) => ({ test, serve }),
    files: ({ test }) => (test.baseline === null ? [] : [test.baseline]),
    run: (done, context) => modelTest({ bundle: done['model-pack'].bundle }, context),
  },
};

/** What the weights that training started from make of the test split. */
async function evaluateStart(weights: string, split: string, { config, store }: StepContext) {
  const detector = await openWeightsDetector(weights);
  const { confidence, nms, maxDetections } = config.eval;
  const thresholds = { confidence, nms, maxDetections, agnostic: config.pack.agnostic };
  const pathOf = ({ sha256 }: CocoImage) => store.objectPath(sha256 as string);
  const dataset = await readDataset(split);
  const label = 'before fine-tuning';
  const { evaluation } = await evaluateDetector((picture) => detector.detect(picture, thresholds), dataset, pathOf, {
    label,
    fit: detector.size,
  });
  await detector.close();
  return { label, stats: evaluation.stats };
}
