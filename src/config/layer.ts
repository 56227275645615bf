import type { z } from 'zod';
import { didYouMean, UserError } from '../base/errors.js';
import { isRecord } from '../base/record.js';
import { expectedOf } from '../base/zod.js';
import { CONFIG_KEYS, isSecret, keysAt, schemaAt } from './keys.js';
import { renamedHint } from './renamed.js';
import { configSchema } from './schema.js';

export type Tree = { [key: string]: unknown };

/** Values from one place: a file, the environment, or the command line. */
export interface Layer {
  tree: Tree;
  /** Name of the file; absent where every key has a name of its own. */
  file?: string;
  /** Name of a key there: that of a variable or a flag. */
  nameOf(key: string): string;
  /** Whether the user chose each of the values: not those of a preset or of an extended file. */
  own: boolean;
}

/** Where a value lies, as a problem names it: file and key, or the flag and the item of its list. */
export function placeOf(layer: Layer | undefined, path: readonly PropertyKey[]): { where?: string; field?: string } {
  const field = fieldOf(path);
  if (!layer || layer.file !== undefined) return { where: layer?.file, field };
  const key = path.join('.');
  const leaf = CONFIG_KEYS.find((known) => known === key || key.startsWith(`${known}.`));
  if (leaf !== undefined) {
    const item = fieldOf(path.slice(leaf.split('.').length));
    return { where: layer.nameOf(leaf), field: item || undefined };
  }
  const given = CONFIG_KEYS.filter(
    (known) => known.startsWith(`${key}.`) && valueAt(layer.tree, known.split('.')) !== undefined,
  );
  return { where: given.map(layer.nameOf).join(', '), field };
}

/** `train.augment.scale[1]` of a path. */
const fieldOf = (path: readonly PropertyKey[]): string =>
  path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '');

/** The last layer that sets a value. */
export const originOf = (path: readonly PropertyKey[], layers: readonly Layer[]): Layer | undefined =>
  layers.findLast(({ tree }) => valueAt(tree, path) !== undefined);

/** The first thing wrong with a configuration, put down to the layer that says it. */
export function problemOf(issue: z.core.$ZodIssue, layers: readonly Layer[], merged: Tree): UserError {
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const path = unknown === undefined ? issue.path : [...issue.path, unknown];
  // What a value was made into has parts that were not said.
  const said = path.map((_, i) => path.slice(0, path.length - i)).find((part) => originOf(part, layers)) ?? path;
  const place = placeOf(originOf(said, layers), said);
  if (unknown !== undefined) {
    const nested = CONFIG_KEYS.includes([...issue.path, unknown].join('.'));
    const hint = nested
      ? 'Write the parts as keys inside one another, not with dots.'
      : (renamedHint([...issue.path, unknown].join('.')) ?? didYouMean(unknown, keysAt(issue.path)));
    return new UserError({ ...place, expected: 'a known key', received: unknown, hint });
  }
  return new UserError({
    ...place,
    expected: expectedOf(issue, schemaAt(path, configSchema)),
    received: isSecret(path) ? undefined : valueAt(merged, said),
    hint: issue.code === 'custom' ? (issue.params?.hint as string | undefined) : undefined,
  });
}

export const isTree: (value: unknown) => value is Tree = isRecord;

/** `over` on top of `base`, key by key. */
export function merge(base: Tree, over: Tree): Tree {
  const result = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = result[key];
    result[key] = isTree(value) && isTree(below) ? merge(below, value) : value;
  }
  return result;
}

export function setAt(tree: Tree, key: string, value: unknown): void {
  const path = key.split('.');
  const last = path.pop() as string;
  let node = tree;
  for (const part of path) {
    node[part] ??= {};
    node = node[part] as Tree;
  }
  node[last] = value;
}

export function valueAt(tree: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((node, key) => (node as Tree | undefined | null)?.[key as string], tree);
}
