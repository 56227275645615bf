import { access } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf } from '../../base/errors.js';
import { readJson, writeJson } from '../../base/files.js';
import type { ProviderChoice } from './providers.js';

/** What `yolox tune` saves in a bundle's folder; it is no part of the bundle and has no checksum there. */
export const TUNING_FILE = 'tuning.json';

const choiceSchema = z.object({
  /** Sessions of the model, and threads of each; 0 lets onnxruntime choose. */
  sessions: z.int().positive(),
  threads: z.int().min(0),
  maxBatch: z.int().positive(),
});

/** How a model is run best. */
export type Tuning = z.infer<typeof choiceSchema>;

const measurementSchema = choiceSchema.extend({
  /** Pictures per second with as many clients as it can use. */
  rate: z.number().positive(),
  /** Median milliseconds for a client alone. */
  latency: z.number().positive(),
});

/** What a way of running a model was measured to give. */
export type Measurement = z.infer<typeof measurementSchema>;

const machineSchema = z.object({ cpu: z.string(), cores: z.int().positive(), provider: z.string() });

const fileSchema = z.object({
  format: z.literal(1),
  created: z.iso.datetime(),
  /** Where it holds. */
  machine: machineSchema,
  goal: z.enum(['throughput', 'latency']),
  chosen: choiceSchema,
  measured: z.array(measurementSchema),
});

type TuningFile = z.infer<typeof fileSchema>;
export type Goal = TuningFile['goal'];

/** This machine, as far as a tuning depends on it. */
export function thisMachine(provider: ProviderChoice): z.infer<typeof machineSchema> {
  return { cpu: cpus()[0]?.model ?? 'unknown', cores: availableParallelism(), provider };
}

/**
 * What was tuned for the bundle in `dir`, or undefined when nothing was. A file for another machine or provider, or a
 * damaged one, is passed over: no reason not to serve.
 * @param onPassedOver told why
 */
export async function readTuning(
  dir: string,
  provider: ProviderChoice,
  onPassedOver: (reason: string) => void,
): Promise<Tuning | undefined> {
  const path = join(dir, TUNING_FILE);
  const absent = await access(path).then(
    () => false,
    () => true,
  );
  if (absent) return undefined;
  try {
    const { machine, chosen } = fileSchema.parse(await readJson(path));
    const here = thisMachine(provider);
    const fits = machine.cpu === here.cpu && machine.cores === here.cores && machine.provider === here.provider;
    if (fits) return chosen;
    onPassedOver(`${path}: passed over, for it is of another machine (${describe(machine)}; here ${describe(here)})`);
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error).replaceAll(/\s+/g, ' ') : messageOf(error);
    onPassedOver(`${path}: passed over: ${reason}`);
  }
  return undefined;
}

export async function writeTuning(dir: string, tuning: Omit<TuningFile, 'format' | 'created'>): Promise<string> {
  const path = join(dir, TUNING_FILE);
  await writeJson(path, { format: 1, created: new Date().toISOString(), ...tuning } satisfies TuningFile);
  return path;
}

const describe = ({ cpu, cores, provider }: z.infer<typeof machineSchema>): string =>
  `${cpu}, ${cores} cores, ${provider}`;

/** Measurements nearer to each other than this share are taken for equal. */
const NOISE = 0.03;

/**
 * The best of the measurements: the highest rate or, for `latency`, the lowest latency of a client alone; among those
 * that are equal but for noise the best by the other, and among equals still what needs the least memory.
 */
export function choose<T extends Omit<Measurement, 'threads'>>(measured: readonly T[], goal: Goal): T {
  const byRate = (all: readonly T[]) => {
    const most = Math.max(...all.map(({ rate }) => rate));
    return all.filter(({ rate }) => rate >= most * (1 - NOISE));
  };
  const byLatency = (all: readonly T[]) => {
    const least = Math.min(...all.map(({ latency }) => latency));
    return all.filter(({ latency }) => latency <= least * (1 + NOISE));
  };
  const best = goal === 'latency' ? byRate(byLatency(measured)) : byLatency(byRate(measured));
  const inHand = ({ sessions, maxBatch }: T) => sessions * maxBatch;
  return best.reduce((least, one) => (inHand(one) < inHand(least) ? one : least));
}
