import { availableParallelism } from 'node:os';
import type { ServeConfig } from '../../config/schema.js';
import type { Bundle } from '../../detect/bundle.js';
import { readTuning } from '../../detect/tuning.js';
import type { EngineOptions } from '../worker/engine.js';

/** How a model is to be run, and who says so. */
export interface EngineSettings extends EngineOptions {
  tuned: boolean;
}

type Given = Pick<
  ServeConfig,
  'instances' | 'threads' | 'maxBatch' | 'provider' | 'maxPixels' | 'maxSide' | 'decodeTimeout'
>;

/**
 * What the configuration gives, else what was tuned for the bundle on this machine, else one instance on all cores.
 * @param onPassedOver told why a tuning is not used
 */
export async function engineSettings(
  { dir }: Bundle,
  given: Given,
  onPassedOver: (reason: string) => void,
): Promise<EngineSettings> {
  const tuning = await readTuning(dir, given.provider, onPassedOver);
  const instances = given.instances ?? tuning?.instances ?? 1;
  const share = instances === 1 ? 0 : Math.max(1, Math.floor(availableParallelism() / instances));
  return {
    instances,
    threads: given.threads ?? tuning?.threads ?? share,
    maxBatch: given.maxBatch ?? tuning?.maxBatch,
    provider: given.provider,
    maxPixels: given.maxPixels,
    maxSide: given.maxSide,
    decodeTimeout: given.decodeTimeout,
    tuned: tuning !== undefined,
  };
}
