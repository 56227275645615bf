import type { DataLoadOutputs } from './data_load.js';
import type { DataPrepOutputs } from './data_prep.js';
import type { ModelEvalOutputs } from './model_eval.js';
import type { ModelPackOutputs } from './model_pack.js';
import type { ModelTestOutputs } from './model_test.js';
import type { ModelTrainOutputs } from './model_train.js';

/** Outputs of each step, which later steps read. */
export interface Outputs {
  'data-load': DataLoadOutputs;
  'data-prep': DataPrepOutputs;
  'model-train': ModelTrainOutputs;
  'model-pack': ModelPackOutputs;
  'model-eval': ModelEvalOutputs;
  'model-test': ModelTestOutputs;
}
