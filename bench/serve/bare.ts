import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { spread } from '../paired.js';
import type { BareOrder, BareSettings, BareTimes } from './bare_worker.js';

/** Processes with a session each, and threads in each of them. */
export interface BareVariant extends Pick<BareSettings, 'threads' | 'spin'> {
  processes: number;
}

export interface Bare {
  name: string;
  /** Runs a second of all processes together, and the median of a run's milliseconds. */
  measure(seconds: number): Promise<{ rate: number; p50: number }>;
  stop(): void;
}

/** Every way to share the cores out. */
export function bareVariants(cores = availableParallelism()): BareVariant[] {
  const shares = Array.from({ length: cores }, (_, i) => i + 1).filter((count) => cores % count === 0);
  return [
    ...shares.flatMap((processes) => [true, false].map((spin) => ({ processes, threads: cores / processes, spin }))),
    // More threads than cores: while one run is between two operations another one works.
    { processes: 2, threads: cores, spin: false },
  ];
}

export async function startBare(
  { processes, threads, spin }: BareVariant,
  { bundle, images }: Pick<BareSettings, 'bundle' | 'images'>,
): Promise<Bare> {
  const workers = Array.from({ length: processes }, () => fork(join(import.meta.dirname, 'bare_worker.ts')));
  await Promise.all(workers.map((worker) => ask(worker, { bundle, images, threads, spin })));
  return {
    name: `bare onnxruntime (${processes} × ${threads} threads${spin ? '' : ', not spinning'})`,
    async measure(seconds) {
      const answers = await Promise.all(workers.map((worker) => ask(worker, { seconds }) as Promise<BareTimes>));
      const times = answers.flatMap((answer) => answer.times);
      // Each by its own clock: the last run of a process ends after the others'.
      const rate = answers.reduce((sum, own) => sum + own.times.length / (own.times.reduce((a, b) => a + b) / 1000), 0);
      return { rate, p50: spread(times).median };
    },
    stop() {
      for (const worker of workers) worker.disconnect();
    },
  };
}

/** The variant that is best by `figure`, started; the others are stopped. */
export async function bestBare(
  settings: Pick<BareSettings, 'bundle' | 'images'>,
  variants: readonly BareVariant[],
  seconds: number,
  figure: (measured: { rate: number; p50: number }) => number,
): Promise<Bare> {
  let best: { bare: Bare; value: number } | undefined;
  for (const variant of variants) {
    const bare = await startBare(variant, settings);
    const value = figure(await bare.measure(seconds));
    if (best && best.value >= value) bare.stop();
    else {
      best?.bare.stop();
      best = { bare, value };
    }
  }
  return (best as { bare: Bare }).bare;
}

async function ask(worker: ChildProcess, message: BareSettings | BareOrder): Promise<unknown> {
  const answered = once(worker, 'message');
  const died = once(worker, 'exit').then(([code]) => Promise.reject(new Error(`bare onnxruntime: exit code ${code}`)));
  worker.send(message);
  const [answer] = await Promise.race([answered, died]);
  return answer;
}
