import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Settings } from './counted.js';
import type { Job } from './job.js';
import { type Ingredients, type Lineage, readLineages, SUCCESS } from './record.js';

/** The parts of a run that are compared. */
type Compared = Ingredients & Pick<Lineage, 'sourceFiles'>;

/** Most differences named in one line. */
const NAMED = 3;

/**
 * Why a step runs although earlier outputs exist: the differences from the nearest run, or the latest of equally near
 * ones. Empty without earlier outputs.
 */
export async function reasonsToRun(job: Job): Promise<string[]> {
  const { name, parent, dir } = job;
  if (existsSync(dir)) return ['it was interrupted'];
  const nearest = nearestDifferences(job, await readLineages(parent, name));
  if (nearest) return nearest;
  const names = await readdir(parent).catch(() => []);
  const unread = names.some((entry) => existsSync(join(parent, entry, SUCCESS)));
  return unread ? ['its earlier outputs are of another layout of the store'] : [];
}

/**
 * The smallest set of differences between a job and earlier outputs; undefined without earlier outputs. @param earlier
 * latest first
 */
export function nearestDifferences(
  { ingredients, sourceFiles }: Job,
  earlier: readonly Compared[],
): string[] | undefined {
  return earlier
    .map((lineage) => differences(lineage, { ...ingredients, sourceFiles }))
    .toSorted((one, other) => one.length - other.length)
    .at(0);
}

/** Describes each difference between two runs of a step. */
export function differences(before: Compared, now: Compared): string[] {
  return [
    ...(before.version === now.version ? [] : [`yolox-node ${before.version} → ${now.version}`]),
    ...settingChanges(before.settings, now.settings),
    ...sourceChanges(before, now),
    ...inputChanges(before.inputs, now.inputs),
  ];
}

/** `train.epochs 50 → 60`, one for each key that differs. */
export function settingChanges(before: Settings, now: Settings): string[] {
  const text = (settings: Settings, key: string) =>
    key in settings ? JSON.stringify(settings[key]) : 'without effect';
  return changedKeys(before, now).map((key) => `${key} ${text(before, key)} → ${text(now, key)}`);
}

/** Differences in external files: `data.images: part/003.png changed, part/007.png is new`. */
export function sourceChanges(
  before: Pick<Compared, 'sources' | 'sourceFiles'>,
  now: Pick<Compared, 'sources' | 'sourceFiles'>,
): string[] {
  return changedKeys(before.sources, now.sources).map((key) => {
    if (!(key in before.sources)) return `${key} is given`;
    if (!(key in now.sources)) return `${key} is no longer given`;
    const [then, since] = [before.sourceFiles[key], now.sourceFiles[key]];
    if (!then || !since) return `the content of ${key} changed`;
    const files = changedKeys(then, since).map((name) => {
      const what = !(name in then) ? 'is new' : !(name in since) ? 'is gone' : 'changed';
      return `${name} ${what}`;
    });
    return `${key}: ${shorten(files)}`;
  });
}

/** Changed input files, by step. */
function inputChanges(before: Record<string, string>, now: Record<string, string>): string[] {
  const byStep = new Map<string, string[]>();
  for (const key of changedKeys(before, now)) {
    const [step, ...name] = key.split('/');
    byStep.set(step, [...(byStep.get(step) ?? []), name.join('/')]);
  }
  return [...byStep].map(([step, files]) => `${step} gives another ${shorten(files)}`);
}

function changedKeys(before: Record<string, unknown>, now: Record<string, unknown>): string[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  return keys.filter((key) => JSON.stringify(before[key]) !== JSON.stringify(now[key])).sort();
}

function shorten(items: readonly string[]): string {
  const rest = items.length > NAMED ? ` and ${items.length - NAMED} more` : '';
  return items.slice(0, NAMED).join(', ') + rest;
}
