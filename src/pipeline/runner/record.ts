import { existsSync } from 'node:fs';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { UserError } from '../../base/errors.js';
import { explainFileError } from '../../base/file_errors.js';
import { sha256, sha256File, writeAtomic } from '../../base/files.js';
import type { Config } from '../../config/schema.js';
import type { Outputs } from '../outputs.js';
import type { Settings } from './counted.js';
import type { StepName } from './step.js';

/** Marks a step as finished; contains the SHA-256 of the record. */
export const SUCCESS = '_SUCCESS';
const LINEAGE = 'lineage.json';
/** Version of the record and of the store's layout. */
const FORMAT = 2;

/** What determines the outputs of a step: equal ingredients give equal outputs. */
export interface Ingredients {
  /** Version of yolox-node. */
  version: string;
  settings: Settings;
  /** SHA-256 of external files and folders, by configuration key. */
  sources: Record<string, string>;
  /** SHA-256 of files of earlier steps, by step and name: `data-prep/train/images.parquet`. */
  inputs: Record<string, string>;
}

/** Record of how a step's outputs were made, stored beside them. */
export interface Lineage<Name extends StepName = StepName> extends Ingredients {
  step: Name;
  fingerprint: string;
  /** Settings for reporting and judging; see `shownSettings`. */
  shown: Settings;
  /** For sources that are folders, SHA-256 by file name. */
  sourceFiles: Record<string, Record<string, string>>;
  /** Without the path of the store, which can be moved, and without secrets. */
  config: Omit<Config, 'store'>;
  /** Paths are absolute in memory and relative to the step's folder in the file. */
  outputs: Outputs[Name];
  /** Size and SHA-256 of every file the outputs name, by its path in the step's folder. */
  files: Record<string, { bytes: number; sha256: string }>;
  commit: string | null;
  /** ISO 8601. */
  finished: string;
  seconds: number;
}

/** A path in a record, relative to the step's folder, so that a store can be moved. */
interface PortablePath {
  $path: string;
}

/** Writes the record of a step, which makes it finished. @throws Error if the step names a missing output */
export async function writeLineage<Name extends StepName>(
  dir: string,
  lineage: Omit<Lineage<Name>, 'files'>,
): Promise<Lineage<Name>> {
  await markUnfinished(dir);
  const files = await hashFiles(dir, lineage.step, lineage.outputs);
  const stored = { format: FORMAT, ...lineage, outputs: toPortable(lineage.outputs, dir), files };
  const text = `${JSON.stringify(stored, null, 2)}\n`;
  await writeAtomic(join(dir, LINEAGE), text);
  await writeAtomic(join(dir, SUCCESS), `${sha256(text)}\n`);
  return { ...lineage, files };
}

/** From now on the step counts as interrupted. */
export async function markUnfinished(dir: string): Promise<void> {
  await rm(join(dir, SUCCESS), { force: true });
}

/**
 * Reads the record of a finished step; undefined for other steps.
 * @throws UserError if it is damaged
 */
export async function readLineage<Name extends StepName>(dir: string, step: Name): Promise<Lineage<Name> | undefined> {
  const expected = await readFile(join(dir, SUCCESS), 'utf8').catch(() => undefined);
  if (expected === undefined) return undefined;
  const where = join(dir, LINEAGE);
  const text = await readFile(where, 'utf8').catch((error) => {
    throw damaged(step, where, 'the record of a finished step', (explainFileError(error, where) as Error).message);
  });
  if (`${sha256(text)}\n` !== expected) {
    throw damaged(step, where, `SHA-256 ${expected.trim() || '(none)'}`, sha256(text));
  }
  const { format, ...stored } = JSON.parse(text);
  return format === FORMAT ? { ...stored, outputs: fromPortable(stored.outputs, dir) } : undefined;
}

/** Reads the valid records of all finished runs of a step, latest first. */
export async function readLineages<Name extends StepName>(parent: string, step: Name): Promise<Lineage<Name>[]> {
  const names = await readdir(parent).catch(() => []);
  const found = await Promise.all(names.map((name) => readLineage(join(parent, name), step).catch(() => undefined)));
  return found
    .filter((lineage) => lineage !== undefined)
    .sort((a, b) => (a.finished < b.finished ? 1 : a.finished > b.finished ? -1 : 0));
}

/** @throws UserError naming the first changed file and the command that restores it */
export async function verifyFiles(dir: string, { step, files }: Lineage): Promise<void> {
  for (const [name, { bytes, sha256: expected }] of Object.entries(files)) {
    const path = join(dir, name);
    const found = await stat(path).catch(() => undefined);
    if (!found) throw damaged(step, path, `the file that ${step} wrote`, 'nothing there');
    if (found.size !== bytes) throw damaged(step, path, `${bytes} bytes`, found.size);
    const received = await sha256File(path);
    if (received !== expected) throw damaged(step, path, `SHA-256 ${expected}`, received);
  }
}

function damaged(step: StepName, where: string, expected: string, received: unknown): UserError {
  const hint = `It is damaged or was changed: \`npx yolox-node ${step} --force\` with the same configuration makes it again.`;
  return new UserError({ where, expected, received, hint });
}

async function hashFiles(dir: string, step: StepName, outputs: object): Promise<Lineage['files']> {
  const names = new Set<string>();
  for (const path of pathsIn(toPortable(outputs, dir))) {
    if (!existsSync(join(dir, path))) throw new Error(`${step} says it wrote ${path}, which is not in ${dir}`);
    for (const name of await filesAt(dir, path)) names.add(name);
  }
  const files: Lineage['files'] = {};
  for (const name of [...names].sort()) {
    const path = join(dir, name);
    files[name] = { bytes: (await stat(path)).size, sha256: await sha256File(path) };
  }
  return files;
}

/** Names of the files at or below a path in `dir`. */
async function filesAt(dir: string, path: string): Promise<string[]> {
  if ((await stat(join(dir, path))).isFile()) return [path];
  const entries = await readdir(join(dir, path), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name !== LINEAGE && entry.name !== SUCCESS)
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)));
}

function toPortable(value: unknown, dir: string): unknown {
  if (typeof value === 'string' && (value === dir || value.startsWith(dir + sep))) {
    return { $path: relative(dir, value) } satisfies PortablePath;
  }
  return mapValues(value, (inner) => toPortable(inner, dir));
}

function fromPortable(value: unknown, dir: string): unknown {
  return isPortable(value) ? resolve(dir, value.$path) : mapValues(value, (inner) => fromPortable(inner, dir));
}

function mapValues(value: unknown, map: (value: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map(map);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, map(inner)]));
}

function pathsIn(value: unknown): string[] {
  if (isPortable(value)) return [value.$path];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(pathsIn) : [];
}

const isPortable = (value: unknown): value is PortablePath =>
  typeof value === 'object' && value !== null && '$path' in value;
