import { availableParallelism } from 'node:os';
import type { ServeConfig } from '../../config/schema.js';
import type { Bundle } from '../../detect/bundle.js';
import type { ProviderChoice } from '../../detect/providers.js';
import { readTuning } from '../../detect/tuning.js';
import type { DecodeLimits } from '../../image/decode.js';

/** How a worker runs a model: the keys of `serve` that it reads, resolved for this machine. */
export interface WorkerOptions extends Required<DecodeLimits> {
  /** Copies of the model, each with a batch of its own. */
  instances: number;
  /** Threads of each instance; 0 lets onnxruntime choose. */
  threads: number;
  /** Most images in a batch; when absent it depends on what the model runs on. */
  maxBatch?: number;
  provider: ProviderChoice;
}

/**
 * Takes what the configuration sets, else what was tuned for the bundle on this machine, else one instance on all cores.
 *
 * @param onTuningIgnored called with the reason when a tuning does not fit this machine
 */
export async function workerOptions(
  { dir }: Pick<Bundle, 'dir'>,
  config: ServeConfig,
  onTuningIgnored: (reason: string) => void,
): Promise<WorkerOptions & { tuned: boolean }> {
  const { provider, maxPixels, maxSide, decodeTimeout } = config;
  const tuning = await readTuning(dir, provider, onTuningIgnored);
  const instances = config.instances ?? tuning?.instances ?? 1;
  const share = instances === 1 ? 0 : Math.max(1, Math.floor(availableParallelism() / instances));
  return {
    instances,
    threads: config.threads ?? tuning?.threads ?? share,
    maxBatch: config.maxBatch ?? tuning?.maxBatch,
    provider,
    maxPixels,
    maxSide,
    decodeTimeout,
    tuned: tuning !== undefined,
  };
}
