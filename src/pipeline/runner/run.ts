import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { UserError } from '../../base/errors.js';
import { makeDir, TEMPORARY } from '../../base/files.js';
import { describeHolder, withLock } from '../../base/lock.js';
import { formatSeconds, log } from '../../base/progress.js';
import { withoutSecrets } from '../../config/keys.js';
import type { Config } from '../../config/schema.js';
import { Store } from '../../data/store.js';
import { readDataset } from '../../data/tables.js';
import type { Outputs } from '../outputs.js';
import { type Done, STEPS } from '../steps.js';
import { ignoredSettings, shownSettings } from './counted.js';
import { reasonsToRun, settingChanges, sourceChanges } from './explain.js';
import { type Job, makeJob } from './job.js';
import { type Lineage, readLineage, verifyFiles, writeLineage } from './record.js';
import { readSources } from './sources.js';
import { STEP_NAMES, type StepContext, type StepName } from './step.js';

export interface RunOptions {
  /** Run the last step again even if it is finished. */
  force?: boolean;
}

/** All outputs of a run up to some step. */
export type RunOutputs = Partial<Outputs>;

/**
 * Runs the pipeline up to `target`. Every step writes into a folder named by a fingerprint of its inputs and the
 * settings that affect its outputs, `<store>/<pipeline>/<step>/<fingerprint>`. A finished folder is used as it is; an
 * interrupted one is continued. Only contents count, not names or times: if an input or an earlier step gives the same
 * result as before, all later steps stay finished.
 */
export async function runPipeline(config: Config, target: StepName, options: RunOptions = {}): Promise<RunOutputs> {
  const store = new Store(config.store);
  const names = STEP_NAMES.slice(0, STEP_NAMES.indexOf(target) + 1);
  const done = {} as Done;
  const outputs = {} as Outputs;
  try {
    // Report missing files now, not after hours of training.
    const found = await Promise.all(names.map((name) => readSources(name, config, store)));
    for (const [i, name] of names.entries()) {
      const inputs = await STEPS[name].inputs(done, config);
      // They may have changed hours later.
      const sources = i === 0 ? found[0] : await readSources(name, config, store);
      const job = makeJob(name, config, store, sources, inputs);
      const lineage = await finish(job, outputs, options.force === true && name === target);
      Object.assign(done, { [name]: lineage });
      Object.assign(outputs, { [name]: lineage.outputs });
    }
  } finally {
    // Without the hashes, the next run merely takes longer.
    await store.saveHashes().catch(() => undefined);
  }
  return outputs;
}

/** Returns the record of the step, finished earlier, by this run, or by a concurrent one. */
async function finish<Name extends StepName>(job: Job<Name>, done: Outputs, force: boolean): Promise<Lineage<Name>> {
  const { name, dir, lock, config } = job;
  const before = force ? undefined : await finishedBefore(job);
  if (before && isShown(before, config)) return tellFinished(job, before);
  const onWait = (holder: Parameters<typeof describeHolder>[0]) =>
    log(`${name}: waits for ${describeHolder(holder)}, which runs the same step`);
  return withLock(
    lock,
    async () => {
      if (force) await discard(dir);
      const meanwhile = await finishedBefore(job);
      return meanwhile ? showAgain(job, meanwhile, done) : runStep(job, done, force);
    },
    { onWait },
  );
}

/** Returns the record of the step after verifying its files; undefined if it is not finished. */
async function finishedBefore<Name extends StepName>({ name, dir }: Job<Name>): Promise<Lineage<Name> | undefined> {
  const lineage = await readLineage(dir, name);
  if (lineage) await verifyFiles(dir, lineage);
  return lineage;
}

function tellFinished<Name extends StepName>({ name, dir, config }: Job<Name>, lineage: Lineage<Name>): Lineage<Name> {
  log(`${name}: already finished, ${dir}`);
  const ignored = settingChanges(ignoredSettings(name, lineage.config), ignoredSettings(name, config));
  if (ignored.length > 0) log(`${name}: ${ignored.join(', ')} does not retrain; use --force to retrain`);
  return lineage;
}

const isShown = ({ step, shown }: Lineage, config: Config): boolean =>
  settingChanges(shown, shownSettings(step, config)).length === 0;

/** Reports and judges finished outputs with the current settings. */
async function showAgain<Name extends StepName>(
  job: Job<Name>,
  lineage: Lineage<Name>,
  done: Outputs,
): Promise<Lineage<Name>> {
  const { name, config, store, dir } = job;
  const { show } = STEPS[name];
  const shown = shownSettings(name, config);
  const changes = settingChanges(lineage.shown, shown);
  if (!show || changes.length === 0) return tellFinished(job, lineage);
  log(`${name}: shown again, ${changes.join(', ')}`);
  const { files, ...record } = lineage;
  await verifyImages(name, done, store);
  const outputs = await show(lineage.outputs, done, { config, dir, store });
  if (hasFailed(name, outputs)) return { ...lineage, outputs };
  return writeLineage(dir, { ...record, shown, outputs });
}

async function runStep<Name extends StepName>(job: Job<Name>, done: Outputs, force: boolean): Promise<Lineage<Name>> {
  const { name, config, store, dir, fingerprint, ingredients, sourceFiles } = job;
  const { store: _, ...withoutStore } = config;
  const step = STEPS[name];
  const reasons = force ? ['--force'] : await reasonsToRun(job);
  log(`${name}: ${dir}`);
  if (reasons.length > 0) log(`${name} runs again: ${reasons.join('; ')}`);
  const started = performance.now();
  await verifyImages(name, done, store);
  await makeDir(dir);
  await sweep(dir);
  const context: StepContext = { config, dir, store };
  const outputs = (await step.run(done, context)) as Outputs[Name];
  if (name === 'data-load') await refuseChanged(job);
  const seconds = (performance.now() - started) / 1000;
  const record = {
    step: name,
    fingerprint,
    ...ingredients,
    sourceFiles,
    shown: shownSettings(name, config),
    config: withoutSecrets(withoutStore),
    outputs,
    commit: await gitCommit(),
    finished: new Date().toISOString(),
    seconds,
  };
  log(`${name}: done in ${formatSeconds(seconds)}`);
  return hasFailed(name, outputs) ? { ...record, files: {} } : writeLineage<Name>(dir, record);
}

function hasFailed<Name extends StepName>(name: Name, outputs: Outputs[Name]): boolean {
  return (STEPS[name].failures?.(outputs).length ?? 0) > 0;
}

/** Steps read images by their names in the store, so their contents are verified once, before the work. */
async function verifyImages(name: StepName, done: Outputs, store: Store): Promise<void> {
  for (const tables of STEPS[name].images(done)) {
    const { images } = await readDataset(tables);
    await store.verifyObjects(images.map(({ sha256 }) => sha256));
  }
}

/** The step may have read a mix of old and new files. */
async function refuseChanged({ name, config, store, ingredients, sourceFiles }: Job): Promise<void> {
  const now = makeJob(name, config, store, await readSources(name, config, store), ingredients.inputs);
  const changes = sourceChanges({ sources: ingredients.sources, sourceFiles }, { ...now.ingredients, ...now });
  if (changes.length === 0) return;
  throw new UserError({
    where: name,
    expected: 'inputs that do not change while they are read',
    received: changes.join('; '),
    hint: 'Run again when the program that writes them is done.',
  });
}

/** Removes temporary files of killed runs (see `writeAtomic`). */
async function sweep(dir: string): Promise<void> {
  for (const name of await readdir(dir)) if (name.endsWith(TEMPORARY)) await rm(join(dir, name), { recursive: true });
}

/** Renames first, then deletes, so that a kill in between leaves no half-deleted step that looks usable. */
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
