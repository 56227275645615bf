import type { z } from 'zod';
import { didYouMean, UserError } from '../base/errors.js';
import { isRecord } from '../base/record.js';
import { expectedOf } from '../base/zod.js';
import { CONFIG_KEYS, isSecret, keysAt, schemaAt } from './keys.js';
import { renamedHint } from './renamed.js';
import { configSchema } from './schema.js';

export type Tree = { [key: string]: unknown };

/** Values from one source: a file, the environment or the command line. */
export interface Layer {
  tree: Tree;
  /** Name of the file; absent for variables and flags, where every key has its own name. */
  file?: string;
  /** Name of a key in this source: the key, variable or flag. */
  nameOf(key: string): string;
  /** Whether the user set these values directly, not through a preset or an extended file. */
  own: boolean;
}

/** The source of a value, as error messages give it: file and key, or flag and list item. */
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

/** Formats a path: `train.augment.scale[1]`. */
const fieldOf = (path: readonly PropertyKey[]): string =>
  path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '');

/** The last layer that sets a value. */
export const originOf = (path: readonly PropertyKey[], layers: readonly Layer[]): Layer | undefined =>
  layers.findLast(({ tree }) => valueAt(tree, path) !== undefined);

/** Turns the first validation issue into an error that names the layer it comes from. */
export function problemOf(issue: z.core.$ZodIssue, layers: readonly Layer[], merged: Tree): UserError {
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const path = unknown === undefined ? issue.path : [...issue.path, unknown];
  // Schemas expand some values (one number to a tuple), so the user may have set only a parent of this path.
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

/** Merges two trees key by key; values in `over` win. */
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
