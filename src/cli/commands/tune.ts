import { z } from 'zod';
import { startProgress } from '../../base/progress.js';
import { text } from '../../config/schema.js';
import type { Measurement } from '../../detect/tuning.js';
import { defineCommand } from '../command.js';
import { printResult } from '../shared.js';

export const tuneCommand = defineCommand({
  command: 'tune <bundle>',
  describe: 'Find the fastest settings for serving a bundle on this machine and save them in it',
  options: {
    bundle: text.describe('Folder of a bundle'),
    goal: z
      .enum(['throughput', 'latency'])
      .default('throughput')
      .describe('Optimise for answers per second, or for the latency of one client'),
    seconds: z.number().min(1).max(600).default(3).describe('Longest measurement, seconds'),
  },
  config: { keys: ['serve.provider'], short: { provider: ['serve.provider', 'Execution provider'] } },
  examples: [['tune out/bundle', 'Run once on each machine, before `serve out/bundle`']],
  async handler({ bundle: dir, goal, seconds, ...args }, { config }) {
    const { serve } = await config();
    const { readBundle } = await import('../../detect/bundle.js');
    const { choose, thisMachine, writeTuning } = await import('../../detect/tuning.js');
    const { candidates, measureCandidates } = await import('../../serve/tune.js');
    const bundle = await readBundle(dir);
    const tunings = candidates();
    let progress: ReturnType<typeof startProgress> | undefined;
    const onProgress = (done: number, total: number, note: string) => {
      progress ??= startProgress('tune', total);
      progress.update(done, note);
    };
    const { measured, provider } = await measureCandidates(bundle, serve, { seconds, onProgress }, tunings).finally(
      () => progress?.stop(),
    );
    const best = choose(measured, goal);
    const { instances, threads, maxBatch } = best;
    const chosen = { instances, threads, maxBatch };
    const file = await writeTuning(dir, { machine: thisMachine(serve.provider), goal, chosen, measured });
    const lines = [table(measured, best), `on ${provider}, for ${goal}; saved in ${file}`].join('\n');
    printResult({ file, provider, goal, chosen, measured }, lines, args);
  },
});

function table(measured: readonly Measurement[], best: Measurement): string {
  const rows = measured.map((one) => [
    String(one.instances),
    String(one.threads),
    String(one.maxBatch),
    one.rate.toFixed(1),
    one.latency.toFixed(1),
    one === best ? '  <- chosen' : '',
  ]);
  const head = ['instances', 'threads', 'batch up to', 'images/s', 'ms alone', ''];
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (i < head.length - 1 ? cell.padStart(head[i].length) : cell))
      .join('  ')
      .trimEnd();
  return [head, ...rows].map(line).join('\n');
}
