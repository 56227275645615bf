import { access } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf } from '../base/errors.js';
import { readJson, writeJson } from '../base/files.js';
import { withOldName } from '../base/zod.js';
import type { ProviderChoice } from './providers.js';

/** File that `yolox-node tune` saves in a bundle's folder; it is not part of the bundle and has no checksum. */
export const TUNING_FILE = 'tuning.json';

const choiceSchema = z.object({
  /** Instances of the model, and threads of each; 0 lets onnxruntime choose. */
  instances: z.int().positive(),
  threads: z.int().min(0),
  maxBatch: z.int().positive(),
});

/** The best settings found for a model. */
export type Tuning = z.infer<typeof choiceSchema>;

const measurementSchema = choiceSchema.extend({
  /** Images per second with enough clients to saturate it. */
  rate: z.number().positive(),
  /** Median milliseconds with a single client. */
  latency: z.number().positive(),
});

/** Measured performance of one set of settings. */
export type Measurement = z.infer<typeof measurementSchema>;

const machineSchema = z.object({ cpu: z.string(), cores: z.int().positive(), provider: z.string() });

const fileSchema = z.object({
  format: z.literal(1),
  created: z.iso.datetime(),
  /** The machine it was measured on. */
  machine: machineSchema,
  goal: z.enum(['throughput', 'latency']),
  chosen: withOldName(choiceSchema, 'sessions', 'instances'),
  measured: z.array(withOldName(measurementSchema, 'sessions', 'instances')),
});

type TuningFile = z.infer<typeof fileSchema>;
export type Goal = TuningFile['goal'];

/** Properties of this machine that a tuning depends on. */
export function thisMachine(provider: ProviderChoice): z.infer<typeof machineSchema> {
  return { cpu: cpus()[0]?.model ?? 'unknown', cores: availableParallelism(), provider };
}

/**
 * Reads the tuning of the bundle in `dir`; undefined if there is none. A damaged file, or one for another machine or
 * provider, is ignored, because it is no reason not to serve.
 * @param onIgnored called with the reason
 */
export async function readTuning(
  dir: string,
  provider: ProviderChoice,
  onIgnored: (reason: string) => void,
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
    onIgnored(
      `${path}: ignored, because it was measured on another machine (${describe(machine)}; this one: ${describe(here)})`,
    );
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error).replaceAll(/\s+/g, ' ') : messageOf(error);
    onIgnored(`${path}: ignored: ${reason}`);
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

/**
 * Measurements within this fraction count as equal, because repeated measurements of the same settings vary as much.
 */
const NOISE = 0.1;

/**
 * Chooses the best measurement: the highest rate or, for `latency`, the lowest latency of a single client. Among those
 * equal within noise, it prefers the fewest images in flight, which need the least memory, then the best other figure.
 */
export function choose<T extends Omit<Measurement, 'threads'>>(measured: readonly T[], goal: Goal): T {
  const costs = { throughput: ({ rate }: T) => 1 / rate, latency: ({ latency }: T) => latency };
  const cost = costs[goal];
  const other = costs[goal === 'latency' ? 'throughput' : 'latency'];
  const inHand = ({ instances, maxBatch }: T) => instances * maxBatch;
  const least = Math.min(...measured.map(cost));
  return measured
    .filter((one) => cost(one) <= least * (1 + NOISE))
    .reduce((best, one) => {
      const fewer = inHand(one) - inHand(best);
      return fewer < 0 || (fewer === 0 && other(one) < other(best)) ? one : best;
    });
}
