import { existsSync, readdirSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import { didYouMean, UserError } from '../base/errors.js';
import { readText } from '../base/files.js';
import { packageRoot } from '../base/package.js';
import { log } from '../base/progress.js';
import { CONFIG_KEYS, environmentName, isSecret, keysAt, schemaAt } from './keys.js';
import { isTree, type Layer, merge, originOf, placeOf, problemOf, setAt, type Tree, valueAt } from './layer.js';
import { renamedHint } from './renamed.js';
import { type Config, configSchema } from './schema.js';
import { valueOfText, valueOfYaml, YamlError } from './text.js';
import { DEPENDENT_KEYS } from './unused.js';

/** Folder of the presets in this package. */
const PRESETS = join(packageRoot, 'configs');

export interface ConfigSources {
  /** YAML file or name of a preset. */
  file?: string;
  /** Values by key path, as written on the command line. */
  flags?: Record<string, string>;
  /** Flags by key, for messages, if they are not `--key`. */
  flagNames?: Record<string, string>;
  environment?: NodeJS.ProcessEnv;
}

/**
 * Loads the configuration from defaults, then files (extended ones first), then the environment, then flags; later ones
 * override earlier ones. Relative paths in values are relative to the working directory, wherever they were set.
 *
 * @throws UserError naming the file, variable or flag, the key, and what was expected
 */
export async function loadConfig(sources: ConfigSources): Promise<Config> {
  const { file, flags = {}, flagNames = {}, environment = process.env } = sources;
  const layers = [
    ...(file === undefined ? [] : await readLayers(file, [])),
    fromEnvironment(environment),
    fromFlags(flags, flagNames),
  ];
  const merged = layers.reduce<Tree>((tree, layer) => merge(tree, layer.tree), {});
  const result = configSchema.safeParse(merged);
  if (!result.success) throw problemOf(result.error.issues[0], layers, merged);
  refuseWithoutEffect(result.data, layers);
  return result.data;
}

const defaults = configSchema.parse({});

/**
 * Refuses values without effect that the user set. Presets, extended files and defaults may contain such values, because
 * a recorded configuration holds every key.
 */
function refuseWithoutEffect(config: Config, layers: readonly Layer[]): void {
  for (const { keys, acts, words } of DEPENDENT_KEYS) {
    if (acts(config)) continue;
    for (const key of keys) {
      const path = key.split('.');
      const value = valueAt(config, path);
      const layer = originOf(path, layers);
      if (!layer?.own || isDeepStrictEqual(value, valueAt(defaults, path))) continue;
      throw new UserError({
        ...placeOf(layer, path),
        expected: `to be used only with ${words}`,
        received: isSecret(path) ? undefined : value,
        hint: 'It has no effect here: leave it out.',
      });
    }
  }
}

async function readLayers(name: string, chain: string[]): Promise<Layer[]> {
  const { path, preset } = findFile(name, chain.at(-1));
  if (chain.includes(path)) {
    const received = [...chain, path].join(' → ');
    throw new UserError({ where: path, field: 'extends', expected: 'no cycle', received });
  }
  const { extends: base, ...tree } = await readTree(path);
  if (base !== undefined && typeof base !== 'string') {
    throw new UserError({ where: path, field: 'extends', expected: 'the name of a preset or a file', received: base });
  }
  const below = base === undefined ? [] : await readLayers(base, [...chain, path]);
  return [...below, { tree, file: path, nameOf: (key) => key, own: chain.length === 0 && !preset }];
}

async function readTree(path: string): Promise<Tree> {
  const text = await readText(path);
  const tree = (await yamlOf({ where: path, expected: 'valid YAML' }, () => valueOfYaml(text, configSchema))) ?? {};
  if (!isTree(tree)) throw new UserError({ where: path, expected: 'a mapping of configuration keys', received: tree });
  return tree;
}

/** Finds a file by its path, by its path relative to the file that extends it, or by the name of a preset. */
function findFile(name: string, extendedBy?: string): { path: string; preset: boolean } {
  const beside = extendedBy === undefined || isAbsolute(name) ? resolve(name) : resolve(dirname(extendedBy), name);
  const preset = join(PRESETS, `${name}.yaml`);
  const path = [beside, preset].find((path) => name !== '' && existsSync(path));
  if (path) return { path, preset: dirname(path) === PRESETS };
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

function fromEnvironment(environment: NodeJS.ProcessEnv): Layer {
  const known = new Map(CONFIG_KEYS.map((key) => [environmentName(key), key]));
  const tree: Tree = {};
  for (const [name, value] of Object.entries(environment)) {
    const key = known.get(name);
    if (key !== undefined) setAt(tree, key, readValue(value ?? '', key, name));
    else if (isMisspelt(name)) {
      throw new UserError({
        where: name,
        expected: 'a known environment variable',
        hint: renamedHint(name, environmentName) ?? didYouMean(name, [...known.keys()]),
      });
    } else tellUnused(name, [...known.keys()]);
  }
  return { tree, nameOf: environmentName, own: true };
}

/** Whether a variable starts with a section name, like `YOLOX_TRAIN_EPOCH`; `YOLOX_CACHE` does not. */
const isMisspelt = (name: string): boolean =>
  keysAt([]).some((section) => keysAt([section]).length > 0 && name.startsWith(`${environmentName(section)}_`));

/** Warns about `YOLOX_EPOCHS` and `yolox_train_epochs`, which set nothing but may belong to other programs. */
function tellUnused(name: string, known: readonly string[]): void {
  const [, end] = /^YOLOX(_.+)$/.exec(name.toUpperCase()) ?? [];
  const meant = end && known.find((one) => one.endsWith(end));
  if (meant) log(`${name} is not used. Did you mean ${meant}?`);
}

function fromFlags(flags: Record<string, string>, names: Record<string, string>): Layer {
  const tree: Tree = {};
  const nameOf = (key: string) => names[key] ?? `--${key}`;
  for (const [key, value] of Object.entries(flags)) setAt(tree, key, readValue(value, key, nameOf(key)));
  return { tree, nameOf, own: true };
}

/** @throws UserError if the key expects YAML and the text is not YAML */
function readValue(text: string, key: string, where: string): unknown {
  const schema = schemaAt(key.split('.')) as z.core.$ZodType;
  const received = isSecret(key.split('.')) ? undefined : text;
  return yamlOf({ where, expected: 'a YAML value', received }, () => valueOfText(text, schema));
}

function yamlOf(problem: { where: string; expected: string; received?: string }, read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    throw new UserError({ ...problem, reason: 'received' in problem ? undefined : error.message }, { cause: error });
  }
}
