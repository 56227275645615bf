import { closest } from 'fastest-levenshtein';
import { UserError } from '../../base/errors.js';
import { isFloating } from './dtype.js';
import { isMmdet, toMegvii } from './key_map.js';
import { recogniseDetector } from './other_formats.js';
import type { Weights, WeightTensor } from './weights.js';

/** A tensor in a file, read on demand. */
export interface StoredTensor {
  /** Name of its type in safetensors. */
  dtype: string;
  read(): WeightTensor | Promise<WeightTensor>;
}

/** Tensors by name in a file, and their path in it; empty for the whole file. */
export interface StateDict {
  path: string;
  tensors: ReadonlyMap<string, StoredTensor>;
}

/** A network in a file. */
interface Found {
  dict: StateDict;
  /** Prefix of its names, including the trailing dot. */
  prefix: string;
  /** Names in the file by names in the network. */
  names: Map<string, string>;
}

export interface NetworkState {
  /** By Megvii key. */
  weights: Weights;
  /** Whether the file uses mmdetection's names. */
  mmdet: boolean;
  /** Which part of the file was used, for people; empty if it contains nothing else. */
  notices: string[];
}

/** Segments that torch wrappers insert anywhere into names; no YOLOX module uses them. */
const WRAPPERS = new Set([
  ...['module', '_orig_mod', '_fsdp_wrapped_module', '_checkpoint_wrapped_module', '_forward_module'],
]);

/** End of a name that every YOLOX has, in Megvii's and mmdetection's form. */
const SIGNATURES = ['head.cls_preds.0.weight', 'bbox_head.multi_level_conv_cls.0.weight'];

/** Ends of names of tensors that a network computes with. */
const PARAMETER = /\.(weight|bias|running_mean|running_var)$/;

/** Recognises paths of averaged weights. */
const AVERAGED = /(^|[._])(ema|swa|avg|average|averaged)([._]|$)/i;

/**
 * Finds the network among the tensors of a file, whatever its prefix and path. Of several, it takes the averaged one.
 * @throws UserError naming `where` if there is none, or several that cannot be told apart
 */
export async function readNetwork(dicts: readonly StateDict[], where: string): Promise<NetworkState> {
  const all = dicts.flatMap((dict) => networksIn(dict, where));
  if (all.length === 0) throw nothingFound(dicts, where);
  const taken = choose(all, where);
  const { dict, names } = taken;
  const mmdet = isMmdet(names.keys());
  const others = new Set(all.filter((one) => one.dict === dict).flatMap((one) => [...one.names.values()]));
  const rest = [...dict.tensors.keys()].filter((name) => !others.has(name)).map((name) => [name, name] as const);
  const weights: Weights = new Map();
  for (const [name, stored] of [...names, ...rest]) {
    const tensor = dict.tensors.get(stored) as StoredTensor;
    if (isBookkeeping(name)) continue;
    if (!isFloating(tensor.dtype)) {
      // Counters, such as the number of averaged steps.
      if (!PARAMETER.test(name)) continue;
      const hint = 'Quantised weights cannot be read: give the original weights.';
      throw new UserError({ where, field: stored, expected: 'floating-point numbers', received: tensor.dtype, hint });
    }
    weights.set(mmdet ? toMegvii(name) : name, await tensor.read());
  }
  const place = placeOf(taken);
  const passed = all.filter((one) => one !== taken).map(placeOf);
  return {
    weights,
    mmdet,
    notices: [
      ...(passed.length > 0
        ? [`of ${all.length} networks in the file, ${place} is used, not ${passed.join(', ')}`]
        : []),
      ...describeNames(taken),
    ],
  };
}

/** Describes what was removed from the names of a network: the prefix and the names of wrappers. */
function describeNames({ prefix, names }: Found): string[] {
  const inside = [...names].flatMap(([name, stored]) => (stored === prefix + name ? [] : stored.split('.')));
  const wrappers = [...new Set(inside)].filter((segment) => WRAPPERS.has(segment)).map((segment) => `${segment}.`);
  const taken = [...new Set([...(prefix ? [prefix] : []), ...wrappers])].map((part) => `"${part}"`);
  return taken.length > 0 ? [`${taken.join(' and ')} is taken out of the names of ${names.size} tensors`] : [];
}

/** Describes the path of a network for people: `ema (names begin with "module.")`. */
const placeOf = ({ dict, prefix }: Found): string => {
  const path = dict.path || 'the whole file';
  return prefix ? `${path} (names beginning with "${prefix}")` : path;
};

/** Finds the networks among the tensors of one dictionary, by prefix. */
function networksIn(dict: StateDict, where: string): Found[] {
  const cleaned = [...dict.tensors.keys()].map((stored) => ({ stored, name: withoutWrappers(stored) }));
  const heads = cleaned.flatMap(({ stored, name }) => {
    const signature = SIGNATURES.find((end) => name === end || name.endsWith(`.${end}`));
    if (signature === undefined) return [];
    const start = name.slice(0, -signature.length);
    const prefix = stored.endsWith(signature) ? stored.slice(0, -signature.length) : start;
    return [{ start, prefix, names: new Map<string, string>() }];
  });
  // A name belongs to the network with the longest matching prefix, because prefixes may be nested.
  heads.sort((a, b) => b.start.length - a.start.length);
  for (const { stored, name } of cleaned) {
    const head = heads.find(({ start }) => name.startsWith(start));
    const short = name.slice(head?.start.length);
    const twin = head?.names.get(short);
    if (twin !== undefined) {
      throw new UserError({
        where,
        field: short,
        expected: 'one tensor of that name',
        received: `${twin} and ${stored}`,
      });
    }
    head?.names.set(short, stored);
  }
  return heads.map(({ prefix, names }) => ({ dict, prefix, names }));
}

const withoutWrappers = (name: string): string =>
  name
    .split('.')
    .filter((segment) => !WRAPPERS.has(segment))
    .join('.');

function choose(all: readonly Found[], where: string): Found {
  if (all.length === 1) return all[0];
  const isAveraged = ({ dict, prefix }: Found) => AVERAGED.test(dict.path) || AVERAGED.test(prefix);
  // mmdetection stores the averaged weights under the plain names and the others under "ema".
  const exchanged = all.some(({ names }) => isMmdet(names.keys()));
  const best = all.filter((one) => isAveraged(one) !== exchanged);
  if (best.length === 1) return best[0];
  throw new UserError({
    where,
    expected: 'one network, or one that is averaged (ema)',
    received: all.map(placeOf).join(', '),
    hint: 'Save the one you mean as a checkpoint of its own.',
  });
}

function nothingFound(dicts: readonly StateDict[], where: string): UserError {
  const names = dicts.flatMap(({ path, tensors }) =>
    [...tensors.keys()].map((name) => (path ? `${path}: ${name}` : name)),
  );
  return new UserError({
    where,
    expected: `the weights of a YOLOX with its head: a tensor whose name ends in ${SIGNATURES.join(' or ')}`,
    received: `${names.length} tensors ${names.slice(0, 3).join(', ')}${names.length > 3 ? ' …' : ''}`,
    hint: hintFor(names),
  });
}

/** Hint from the names in a file without the network. */
function hintFor(names: readonly string[]): string {
  if (names.some((name) => /backbone\.(backbone|stem|stage1)\./.test(name)))
    return 'The backbone is there, the head is missing: give the checkpoint of the whole detector.';
  const detector = recogniseDetector(names);
  if (detector) return `It looks like ${detector}: only YOLOX is read.`;
  const near = names.length > 0 ? closest(SIGNATURES[0], names) : '';
  return /head|pred/.test(near) ? `The nearest name is ${near}.` : 'Give the checkpoint of a YOLOX.';
}

/**
 * Counters of batches, and the `ema_…` buffers of mmdetection 2, whose checkpoints contain the averaged weights, used
 * for evaluation, under the plain names and the training weights under `ema_…`.
 */
const isBookkeeping = (name: string): boolean => name.endsWith('.num_batches_tracked') || name.startsWith('ema_');
