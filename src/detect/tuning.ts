import { access } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf } from '../base/errors.js';
import { readJson, writeJson } from '../base/files.js';
import { withOldName } from '../base/zod.js';
import type { ProviderChoice } from './providers.js';

/** What `yolox-node tune` saves in a bundle's folder; it is no part of the bundle and has no checksum there. */
export const TUNING_FILE = 'tuning.json';

const choiceSchema = z.object({
  /** Instances of the model, and threads of each; 0 lets onnxruntime choose. */
  instances: z.int().positive(),
  threads: z.int().min(0),
  maxBatch: z.int().positive(),
});

/** How a model is run best. */
export type Tuning = z.infer<typeof choiceSchema>;

const measurementSchema = choiceSchema.extend({
  /** Images per second with as many clients as it can use. */
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
  chosen: withOldName(choiceSchema, 'sessions', 'instances'),
  measured: z.array(withOldName(measurementSchema, 'sessions', 'instances')),
});

type TuningFile = z.infer<typeof fileSchema>;
export type Goal = TuningFile['goal'];

/** This machine, as far as a tuning depends on it. */
export function thisMachine(provider: ProviderChoice): z.infer<typeof machineSchema> {
  return { cpu: cpus()[0]?.model ?? 'unknown', cores: availableParallelism(), provider };
}

/**
 * What was tuned for the bundle in `dir`, or undefined when nothing was. A file for another machine or provider, or a
 * damaged one, is ignored: it is no reason not to serve.
 * @param onIgnored told why
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

/** Measurements nearer to each other than this share are taken for equal: as far apart two of the same way often are. */
const NOISE = 0.1;

/**
 * The best of the measurements: the highest rate or, for `latency`, the lowest latency of a client alone. Among those that
 * are equal but for noise it is what has the fewest images in hand, and so needs the least memory; of these the best by
 * the other figure.
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
