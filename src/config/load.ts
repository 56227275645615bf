import { existsSync, readdirSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import type { z } from 'zod';
import { didYouMean, messageOf, UserError } from '../base/errors.js';
import { readText } from '../base/files.js';
import { CONFIG_KEYS, environmentName, isSecret, keysAt } from './keys.js';
import { type Config, configSchema } from './schema.js';

/** Folder of the presets that come with the package. */
const PRESETS = resolve(import.meta.dirname, '../../configs');

type Tree = { [key: string]: unknown };

export interface ConfigSources {
  /** YAML file, or the name of a preset. */
  file?: string;
  /** Values by key path, as written on the command line. */
  flags?: Record<string, string>;
  environment?: NodeJS.ProcessEnv;
}

/**
 * The configuration: defaults, then the file and what it extends, then the environment, then flags; the last to speak
 * wins. Relative paths in values are the user's working directory's business, whoever set them.
 *
 * @throws UserError naming the file, variable or flag, the key, and what was expected there
 */
export async function loadConfig({ file, flags = {}, environment = process.env }: ConfigSources): Promise<Config> {
  const layers = [
    ...(file === undefined ? [] : await readLayers(file, [])),
    fromEnvironment(environment),
    fromFlags(flags),
  ];
  const merged = layers.reduce<Tree>((tree, layer) => merge(tree, layer.tree), {});
  const result = configSchema.safeParse(merged);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const key = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0]] : issue.path;
  const origin = layers.findLast(({ tree }) => valueAt(tree, key) !== undefined);
  throw toUserError(issue, merged, origin?.where(key.join('.')));
}

/** Some values, and how to name where one of them comes from. */
interface LayerOfValues {
  tree: Tree;
  where(key: string): string;
}

async function readLayers(name: string, chain: string[]): Promise<LayerOfValues[]> {
  const path = findFile(name, chain.at(-1));
  if (chain.includes(path)) {
    throw new UserError({
      where: path,
      field: 'extends',
      expected: 'no circle',
      received: [...chain, path].join(' → '),
    });
  }
  const { extends: base, ...tree } = await readTree(path);
  if (base !== undefined && typeof base !== 'string') {
    throw new UserError({ where: path, field: 'extends', expected: 'the name of a preset or a file', received: base });
  }
  const below = base === undefined ? [] : await readLayers(base, [...chain, path]);
  return [...below, { tree, where: () => path }];
}

async function readTree(path: string): Promise<Tree> {
  const text = await readText(path);
  let tree: unknown;
  try {
    tree = parseYaml(text) ?? {};
  } catch (error) {
    throw new UserError(
      { where: path, expected: 'valid YAML', received: messageOf(error).split('\n')[0] },
      { cause: error },
    );
  }
  if (!isTree(tree)) throw new UserError({ where: path, expected: 'a mapping of configuration keys', received: tree });
  return tree;
}

/** A path as it is, or beside the file that extends it, or the name of a preset. */
function findFile(name: string, extendedBy?: string): string {
  const beside = extendedBy === undefined || isAbsolute(name) ? resolve(name) : resolve(dirname(extendedBy), name);
  const found = [beside, join(PRESETS, `${name}.yaml`)].find((path) => existsSync(path));
  if (found) return found;
  const presets = readdirSync(PRESETS)
    .filter((entry) => entry.endsWith('.yaml'))
    .map((entry) => entry.slice(0, -'.yaml'.length));
  throw new UserError({
    where: extendedBy ?? '--config',
    expected: 'a configuration file or the name of a preset',
    received: name,
    hint: didYouMean(name, presets),
  });
}

function fromEnvironment(environment: NodeJS.ProcessEnv): LayerOfValues {
  const known = new Map(CONFIG_KEYS.map((key) => [environmentName(key), key]));
  const tree: Tree = {};
  for (const [name, value] of Object.entries(environment)) {
    const key = known.get(name);
    if (key !== undefined) setAt(tree, key, parseScalar(value ?? '', key, name));
    else if (isMisspelt(name)) {
      throw new UserError({
        where: name,
        expected: 'a known environment variable',
        hint: didYouMean(name, [...known.keys()]),
      });
    }
  }
  return { tree, where: environmentName };
}

/** `YOLOX_TRAIN_EPOCH` has the name of a section; `YOLOX_CACHE` and the like belong to others. */
const isMisspelt = (name: string): boolean =>
  keysAt([]).some((section) => keysAt([section]).length > 0 && name.startsWith(`${environmentName(section)}_`));

function fromFlags(flags: Record<string, string>): LayerOfValues {
  const tree: Tree = {};
  for (const [key, value] of Object.entries(flags)) setAt(tree, key, parseScalar(value, key, `--${key}`));
  return { tree, where: (key) => `--${key}` };
}

/** Numbers, booleans, null and lists are written as in YAML. */
function parseScalar(text: string, key: string, where: string): unknown {
  try {
    return parseYaml(text) ?? null;
  } catch (error) {
    const received = isSecret(key.split('.')) ? undefined : text;
    throw new UserError({ where, expected: 'a YAML value', received }, { cause: error });
  }
}

function toUserError(issue: z.core.$ZodIssue, tree: Tree, where?: string): UserError {
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(issue.path);
    const [unknown] = issue.keys;
    return new UserError({
      where,
      field: [...issue.path, unknown].join('.'),
      expected: 'a known key',
      received: unknown,
      hint: didYouMean(unknown, known),
    });
  }
  return new UserError({
    where,
    field: issue.path.join('.'),
    expected: issue.message.replace(/^(Invalid input: )?expected /, '').replace(/, received .*$/, ''),
    received: isSecret(issue.path) ? undefined : valueAt(tree, issue.path),
  });
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);

function merge(base: Tree, over: Tree): Tree {
  const result = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = result[key];
    result[key] = isTree(value) && isTree(below) ? merge(below, value) : value;
  }
  return result;
}

function setAt(tree: Tree, key: string, value: unknown): void {
  const path = key.split('.');
  const last = path.pop() as string;
  let node = tree;
  for (const part of path) {
    node[part] ??= {};
    node = node[part] as Tree;
  }
  node[last] = value;
}

function valueAt(tree: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((node, key) => (node as Tree | undefined)?.[key as string], tree);
}
