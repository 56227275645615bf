import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { makeDir, readJson, sha256, sha256File, writeAtomic, writeJson } from '../base/files.js';
import { formatSeconds, log } from '../base/progress.js';
import { withoutSecrets } from '../config/keys.js';
import type { Config } from '../config/schema.js';
import { Store } from '../data/store.js';
import { STEP_NAMES, type StepName } from './step.js';
import { type Outputs, STEPS } from './steps.js';

const SUCCESS = '_SUCCESS';
const LINEAGE = 'lineage.json';

const { version } = JSON.parse(readFileSync(resolve(import.meta.dirname, '../../package.json'), 'utf8'));

/** How an output came to be; stored beside it. */
interface Lineage<Name extends StepName = StepName> {
  step: Name;
  fingerprint: string;
  /** Fingerprints of the steps whose outputs went in. */
  inputs: Record<string, string>;
  config: Config;
  outputs: Outputs[Name];
  version: string;
  commit: string | null;
  finished: string;
  seconds: number;
}

export interface RunOptions {
  /** Do the last step again even where it is finished. */
  force?: boolean;
}

/** All outputs of a run up to some step. */
export type RunOutputs = Partial<Outputs>;

/**
 * Runs the pipeline up to `target`. Every step writes into a folder named by a fingerprint of its inputs and
 * settings, `<store>/<pipeline>/<step>/<fingerprint>`: a finished one is used as it is, an interrupted one goes on.
 */
export async function runPipeline(config: Config, target: StepName, options: RunOptions = {}): Promise<RunOutputs> {
  const store = new Store(config.store);
  const outputs: RunOutputs = {};
  const fingerprints: Record<string, string> = {};
  for (const name of STEP_NAMES.slice(0, STEP_NAMES.indexOf(target) + 1)) {
    const force = options.force === true && name === target;
    const lineage = await runStep(name, config, store, outputs, { ...fingerprints }, force);
    (outputs as Record<string, unknown>)[name] = lineage.outputs;
    fingerprints[name] = lineage.fingerprint;
  }
  return outputs;
}

async function runStep<Name extends StepName>(
  name: Name,
  config: Config,
  store: Store,
  outputs: RunOutputs,
  inputs: Record<string, string>,
  force: boolean,
): Promise<Lineage<Name>> {
  const step = STEPS[name];
  const settings = { ...step.settings(config), files: await hashFiles(step.files?.(config) ?? []) };
  const fingerprint = sha256(JSON.stringify({ name, version, inputs, settings })).slice(0, 12);
  const dir = join(store.root, config.pipeline, name, fingerprint);
  if (force) await discard(dir);
  if (existsSync(join(dir, SUCCESS))) {
    log(`${name}: finished before, ${dir}`);
    return readJson(join(dir, LINEAGE));
  }
  log(`${name}: ${dir}`);
  const started = performance.now();
  await makeDir(dir);
  await sweep(dir);
  const result = (await step.run(outputs as Outputs, { config, dir, store })) as Outputs[Name];
  const seconds = (performance.now() - started) / 1000;
  const lineage: Lineage<Name> = {
    step: name,
    fingerprint,
    inputs,
    config: withoutSecrets(config),
    outputs: result,
    version,
    commit: await gitCommit(),
    finished: new Date().toISOString(),
    seconds,
  };
  await writeJson(join(dir, LINEAGE), lineage);
  await writeAtomic(join(dir, SUCCESS), '');
  log(`${name}: done in ${formatSeconds(seconds)}`);
  return lineage;
}

/** Content of files, name and time of folders: what an input was when it was read. */
async function hashFiles(paths: readonly string[]): Promise<string[]> {
  return Promise.all(
    paths.map(async (path) => {
      const found = await stat(path).catch(() => undefined);
      if (!found) return path;
      return found.isDirectory()
        ? `${resolve(path)} ${(await readdir(path)).length} ${found.mtimeMs}`
        : sha256File(path);
    }),
  );
}

/** Removes what a killed run was writing (see `writeAtomic`). */
async function sweep(dir: string): Promise<void> {
  for (const name of await readdir(dir)) if (name.endsWith('.tmp')) await rm(join(dir, name), { recursive: true });
}

/** Out of the way at once, then gone: a kill in between leaves no half-deleted step that looks usable. */
async function discard(dir: string): Promise<void> {
  if (!existsSync(dir)) return;
  const aside = `${dir}.discarded`;
  await rm(aside, { recursive: true, force: true });
  await rename(dir, aside);
  await rm(aside, { recursive: true, force: true });
}

/** Commit of the working directory's repository, null outside one. */
async function gitCommit(): Promise<string | null> {
  try {
    const { stdout } = await promisify(execFile)('git', ['rev-parse', 'HEAD']);
    return stdout.trim();
  } catch {
    return null;
  }
}
