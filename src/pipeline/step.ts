import type { Config } from '../config/schema.js';
import type { Store } from '../data/store.js';

/** What a step may use besides its inputs. */
export interface StepContext {
  /** The resolved configuration; it is stored with the run. */
  config: Config;
  /** The step's own output folder; it exists and holds what an interrupted earlier run of the same step left. */
  dir: string;
  store: Store;
}
