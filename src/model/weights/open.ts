import { UserError } from '../../base/errors.js';
import { log } from '../../base/progress.js';
import type { Architecture } from '../../config/network.js';
import { LEGACY_PREPROCESS, preprocessSchema } from '../../config/preprocess.js';
import { inferArchitecture } from './architecture.js';
import type { CheckpointInfo } from './checkpoint.js';
import { type FitReport, fitWeights } from './fit.js';
import { type LoadedWeights, loadWeights } from './load.js';

export interface OpenOptions {
  /** Input height and width in pixels; by default from the file, or usual for its size. */
  size?: readonly [number, number];
  /** Whether to use the preprocessing from before YOLOX 0.1.1; by default from the file or guessed from its weights. */
  legacy?: boolean;
  /** Names of the classes, for weights without names. */
  categories?: CheckpointInfo['categories'];
}

/** A network read from a file; the weights contain every parameter of the architecture. */
export interface OpenedNetwork extends LoadedWeights {
  architecture: Architecture;
  /** In the order of the classes: from the file, else as given. */
  categories?: CheckpointInfo['categories'];
  report: FitReport;
}

/**
 * Opens weights of any format and architecture.
 * @throws UserError if tensors are missing, or the given classes contradict the weights
 */
export async function openNetwork(path: string, options: OpenOptions = {}): Promise<OpenedNetwork> {
  const { size, legacy } = options;
  const loaded = await loadWeights(path, size);
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
  checkUnexpected(path, report.unexpected);
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
  return {
    ...loaded,
    weights,
    legacy: legacy ?? loaded.legacy,
    preprocess: preprocess.data,
    architecture,
    categories: namedClasses(path, architecture.classes, loaded.info?.categories, options.categories),
    report,
  };
}

/**
 * Unknown tensors inside backbone, neck or head belong to modules we would leave out, so this is another network. Other
 * tensors, e.g. of losses, are only reported.
 */
function checkUnexpected(path: string, names: readonly string[]): void {
  const inside = names.filter((name) => /^(backbone|neck|head|bbox_head)\./.test(name));
  const listed = (some: readonly string[]) => `${some.slice(0, 3).join(', ')}${some.length > 3 ? ', …' : ''}`;
  if (inside.length > 0) {
    throw new UserError({
      where: path,
      expected: 'only tensors of a YOLOX',
      received: `${inside.length} more: ${listed(inside)}`,
      hint: 'The network has modules that yolox-node does not support, so its results would differ.',
    });
  }
  if (names.length > 0) log(`${path}: ${names.length} tensors outside the network are ignored: ${listed(names)}`);
}

type Categories = OpenedNetwork['categories'];

/** Names from the file or, for a file without, the given ones, which must match the number of classes. */
function namedClasses(path: string, count: number, known: Categories, given: Categories): Categories {
  const names = (categories: Categories) => categories?.map(({ name }) => name).join(', ');
  if (known && known.length !== count) {
    const received = `${known.length} of them`;
    throw new UserError({ where: path, field: 'metadata.categories', expected: `names of ${count} classes`, received });
  }
  if (given === undefined) return known;
  if (given.length !== count) {
    const received = `${given.length}: ${names(given)}`;
    throw new UserError({
      where: '--classes',
      expected: `a name for each of the ${count} classes of ${path}`,
      received,
    });
  }
  if (known === undefined || names(known) === names(given)) return known ?? given;
  throw new UserError({
    where: '--classes',
    expected: `the classes that ${path} names: ${names(known)}`,
    received: names(given),
    hint: 'Leave --classes out.',
  });
}

const { color, scale, mean, std } = preprocessSchema.parse({});
const currentColours = { color, scale, mean, std };
