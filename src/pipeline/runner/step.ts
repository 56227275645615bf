import type { Config } from '../../config/schema.js';
import type { Store } from '../../data/store.js';

/** What a step may use besides its inputs. */
export interface StepContext {
  /** The resolved configuration; it is stored with the run. */
  config: Config;
  /** The step's output folder; it exists and may contain files of an interrupted run. */
  dir: string;
  store: Store;
}

/** The steps in order, and what each does. */
export const STEP_DESCRIPTIONS = {
  'data-load': 'Import images and annotations into the store',
  'data-prep': 'Select categories, split, and report what the data contains',
  'model-train': 'Train YOLOX',
  'model-pack': 'Export ONNX and write the bundle',
  'model-eval': 'Evaluate the bundle on the test split',
  'model-test': 'Start the server, compare its answers with the reference, and load-test it',
} as const;

export type StepName = keyof typeof STEP_DESCRIPTIONS;

export const STEP_NAMES = Object.keys(STEP_DESCRIPTIONS) as StepName[];
