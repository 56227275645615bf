import { UserError } from '../../base/errors.js';
import { LEGACY_PREPROCESS, preprocessSchema } from '../../config/preprocess.js';
import type { Architecture } from '../network.js';
import { inferArchitecture } from './architecture.js';
import { type FitReport, fitWeights } from './fit.js';
import { type LoadedWeights, loadWeights } from './load.js';

export interface OpenOptions {
  /** Input height, width in pixels; as the file says, or usual for its size, when absent. */
  size?: readonly [number, number];
  /** Preprocessing before YOLOX 0.1.1, or that since; as the file says or its weights suggest when absent. */
  legacy?: boolean;
}

/** A network as its file has it: the weights hold every parameter of the architecture. */
export interface OpenedNetwork extends LoadedWeights {
  architecture: Architecture;
  report: FitReport;
}

/** Opens weights of any form with the architecture they have. UserError when tensors of it are missing. */
export async function openNetwork(path: string, { size, legacy }: OpenOptions = {}): Promise<OpenedNetwork> {
  const loaded = await loadWeights(path);
  const architecture = loaded.info?.architecture ?? inferArchitecture(loaded.weights, path);
  const { weights, report } = fitWeights(loaded.weights, architecture, { where: path });
  const lacking = [...report.missing, ...report.mismatched.map(({ name }) => name)];
  if (lacking.length > 0) {
    const hint = `Missing or of another shape: ${lacking.join(', ')}.`;
    throw new UserError({
      where: path,
      expected: 'every tensor of the network',
      received: `${lacking.length} too few`,
      hint,
    });
  }
  const preprocess = preprocessSchema.safeParse({
    ...loaded.preprocess,
    ...(legacy !== undefined && (legacy ? LEGACY_PREPROCESS : currentColours)),
    ...(size && { size }),
  });
  if (!preprocess.success) {
    throw new UserError({
      where: path,
      field: 'size',
      expected: 'input height and width, multiples of 32',
      received: size,
    });
  }
  return { ...loaded, weights, legacy: legacy ?? loaded.legacy, preprocess: preprocess.data, architecture, report };
}

const { color, scale, mean, std } = preprocessSchema.parse({});
const currentColours = { color, scale, mean, std };
