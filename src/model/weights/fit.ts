import { UserError } from '../../base/errors.js';
import type { Architecture } from '../../config/network.js';
import { parameters } from '../parameters.js';
import { describeArchitecture, guessArchitecture, sameNetwork } from './architecture.js';
import { initialTensors } from './init.js';
import { elements, sameShape, type Weights, type WeightTensor } from './weights.js';

export interface FitOptions {
  /** For each class of the network, the class of the weights whose rows it copies; null starts afresh. */
  classRows?: readonly (number | null)[];
  /** Seed for the initial values of tensors that are not copied. Default 0. */
  seed?: number;
  /** Name of the weights in messages. */
  where?: string;
}

export interface FitReport {
  /** Number of tensors copied unchanged. */
  loaded: number;
  /** Tensors of the network that the weights lack; they start afresh. */
  missing: string[];
  /** Tensors that the network does not have. */
  unexpected: string[];
  mismatched: { name: string; expected: number[]; received: number[] }[];
  /** Tensors of the class heads that start afresh, entirely or for classes without a row to copy. */
  reinitialised: string[];
}

/**
 * Returns weights for a network of `architecture`, copied from `weights` where possible. If the classes differ, only
 * the class heads are re-initialised.
 * @throws UserError if the weights belong to another architecture
 */
export function fitWeights(
  weights: Weights,
  architecture: Architecture,
  { classRows, seed = 0, where }: FitOptions = {},
): { weights: Weights; report: FitReport } {
  if (classRows && classRows.length !== architecture.classes) throw new RangeError('classRows: one entry per class');
  const initial = initialTensors(architecture, seed);
  const report: FitReport = { loaded: 0, missing: [], unexpected: [], mismatched: [], reinitialised: [] };
  const fitted: Weights = new Map();
  for (const { name, shape } of parameters(architecture)) {
    const source = weights.get(name);
    const same = source !== undefined && sameShape(source.shape, shape);
    if (source === undefined) report.missing.push(name);
    else if (!same) report.mismatched.push({ name, expected: shape, received: source.shape });
    if (same && !(classRows && isClassHead(name))) {
      fitted.set(name, source);
      report.loaded++;
    } else if (source && isClassHead(name) && sameShape(source.shape.slice(1), shape.slice(1))) {
      fitted.set(name, takeRows(source, initial(name), classRows ?? []));
      if (!classRows || classRows.includes(null)) report.reinitialised.push(name);
      else report.loaded++;
    } else {
      fitted.set(name, initial(name));
    }
  }
  report.unexpected = [...weights.keys()].filter((name) => !fitted.has(name));
  assertSameArchitecture(weights, architecture, report, where);
  return { weights: fitted, report };
}

const isClassHead = (name: string): boolean => name.startsWith('head.cls_preds.');

/** Replaces rows of `initial` by rows of `source`; `rows[class]` is a row of `source` or null. */
function takeRows(source: WeightTensor, initial: WeightTensor, rows: readonly (number | null)[]): WeightTensor {
  const length = elements(initial.shape.slice(1));
  const data = initial.data.slice();
  rows.forEach((row, to) => {
    if (row !== null) data.set(source.data.subarray(row * length, (row + 1) * length), to * length);
  });
  return { shape: initial.shape, data };
}

function assertSameArchitecture(weights: Weights, architecture: Architecture, report: FitReport, where?: string): void {
  const found = guessArchitecture(weights);
  const mismatched = report.mismatched.filter(({ name }) => !isClassHead(name));
  if (mismatched.length === 0 && report.loaded > 0 && (!found || sameNetwork(found, architecture))) return;
  const differences = [
    ...mismatched.map(({ name, expected, received }) => `${name} has shape [${received}], not [${expected}]`),
    ...report.missing.map((name) => `${name} is absent`),
    ...report.unexpected.map((name) => `${name} has no place`),
  ];
  throw new UserError({
    where,
    expected: `weights of ${describeArchitecture(architecture)}`,
    received: found ? describeArchitecture(found) : 'weights of another network',
    hint: `First differences: ${differences.slice(0, 3).join('; ')}. Set model.depth, model.width and model.depthwise to those of the weights.`,
  });
}
