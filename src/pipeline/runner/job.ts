import { join } from 'node:path';
import { sha256 } from '../../base/files.js';
import { packageVersion } from '../../base/package.js';
import type { Config } from '../../config/schema.js';
import type { Store } from '../../data/store.js';
import { countedSettings } from './counted.js';
import type { Ingredients, Lineage } from './record.js';
import type { Sources } from './sources.js';
import type { StepName } from './step.js';

/** A step with the ingredients of one run. */
export interface Job<Name extends StepName = StepName> {
  name: Name;
  config: Config;
  store: Store;
  ingredients: Ingredients;
  sourceFiles: Lineage['sourceFiles'];
  /** Folder of all outputs of this step in this pipeline, and the folder for these ingredients. */
  parent: string;
  fingerprint: string;
  dir: string;
  /** Lock file, held while a process writes there. */
  lock: string;
}

/** Creates the job of a step from external sources and earlier steps. */
export function makeJob<Name extends StepName>(
  name: Name,
  config: Config,
  store: Store,
  sources: Sources,
  inputs: Record<string, string>,
): Job<Name> {
  const ingredients: Ingredients = {
    version: packageVersion,
    settings: countedSettings(name, config),
    sources: Object.fromEntries(Object.entries(sources).map(([key, content]) => [key, content.sha256])),
    inputs,
  };
  const sourceFiles: Lineage['sourceFiles'] = {};
  for (const [key, { files }] of Object.entries(sources)) if (files) sourceFiles[key] = files;
  const fingerprint = sha256(JSON.stringify(sorted({ name, ...ingredients }))).slice(0, 12);
  const parent = join(store.root, config.pipeline, name);
  const dir = join(parent, fingerprint);
  const lock = join(store.root, 'locks', `${config.pipeline}.${name}.${fingerprint}`);
  return { name, config, store, ingredients, sourceFiles, parent, fingerprint, dir, lock };
}

/** Sorts the keys of all objects, so that equal values give equal JSON. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, sorted(inner)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
