import type { CommandModule } from 'yargs';
import { startProgress } from '../base/progress.js';
import type { Goal, Measurement } from '../serve/engine/tuning.js';
import { configFrom } from './config_options.js';
import { jsonOption, printResult } from './shared.js';

interface TuneArgs {
  bundle: string;
  config?: string;
  goal: Goal;
  seconds: number;
  provider?: string;
  json: boolean;
}

export const tuneCommand: CommandModule<object, TuneArgs> = {
  command: 'tune <bundle>',
  describe: 'Measure how this machine serves a packed model best, and save it in the bundle',
  builder: (yargs) =>
    jsonOption(yargs)
      .positional('bundle', { type: 'string', demandOption: true, describe: 'Folder of a packed model' })
      .option('config', { type: 'string', describe: 'Configuration file, or the name of a preset' })
      .option('goal', {
        choices: ['throughput', 'latency'] as const,
        default: 'throughput' as const,
        describe: 'Most answers per second, or the fastest answer to one client',
      })
      .option('seconds', { type: 'number', default: 3, describe: 'Longest time of one measurement' })
      .option('provider', { type: 'string', requiresArg: true, describe: 'What to run on: auto, cpu, cuda, tensorrt' })
      .check(({ seconds }) => (seconds >= 1 && seconds <= 600) || '--seconds is from 1 to 600.')
      .example('$0 tune out/bundle', 'Before `yolox serve out/bundle`, once on each machine'),
  async handler({ bundle: dir, goal, seconds, ...args }) {
    const { serve } = await configFrom({ ...args, ...(args.provider && { 'serve.provider': args.provider }) });
    const { readBundle } = await import('../serve/bundle.js');
    const { choose, thisMachine, writeTuning } = await import('../serve/engine/tuning.js');
    const { measureWays, waysToRun } = await import('../serve/models/tune.js');
    const bundle = await readBundle(dir);
    const ways = waysToRun();
    let progress: ReturnType<typeof startProgress> | undefined;
    const onProgress = (done: number, total: number, note: string) => {
      progress ??= startProgress('tune', total);
      progress.update(done, note);
    };
    const { measured, provider } = await measureWays(bundle, serve, { seconds, onProgress }, ways).finally(() =>
      progress?.stop(),
    );
    const best = choose(measured, goal);
    const { sessions, threads, maxBatch } = best;
    const chosen = { sessions, threads, maxBatch };
    const file = await writeTuning(dir, { machine: thisMachine(serve.provider), goal, chosen, measured });
    const text = [table(measured, best), `on ${provider}, for ${goal}; saved in ${file}`].join('\n');
    printResult({ file, provider, goal, chosen, measured }, text, args);
  },
};

function table(measured: readonly Measurement[], best: Measurement): string {
  const rows = measured.map((one) => [
    String(one.sessions),
    String(one.threads),
    String(one.maxBatch),
    one.rate.toFixed(1),
    one.latency.toFixed(1),
    one === best ? '  <- chosen' : '',
  ]);
  const head = ['sessions', 'threads', 'batch up to', 'pictures/s', 'ms alone', ''];
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (i < head.length - 1 ? cell.padStart(head[i].length) : cell))
      .join('  ')
      .trimEnd();
  return [head, ...rows].map(line).join('\n');
}
