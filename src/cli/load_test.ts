import { join } from 'node:path';
import type { CommandModule } from 'yargs';
import { makeDir, writeAtomic, writeJson } from '../base/files.js';
import { log } from '../base/progress.js';
import type { Arrivals } from '../loadtest/arrivals.js';
import { type Comparison, compareRuns, missedGate, readBaseline } from '../loadtest/baseline.js';
import type { Target } from '../loadtest/client.js';
import { describeComparison, describeObjective, describeRun } from '../loadtest/describe.js';
import { BODIES, type PayloadOptions, payloadOf } from '../loadtest/payload.js';
import type { LoadTestResult, RunResult } from '../loadtest/result.js';
import { checkTarget, closedLoop, openLoop, type RunOptions } from '../loadtest/run.js';
import { highestRate, meetsObjective } from '../loadtest/search.js';
import { passesGrowth, soakWarmUp, soakWindows, withGrowth } from '../loadtest/soak.js';
import { checkLoadFlags, checkMode, headerOf } from './load_test_flags.js';
import { jsonOption, printResult } from './shared.js';

export interface LoadTestArgs extends PayloadOptions {
  url: string;
  image: string[];
  mode: 'closed' | 'open' | 'sweep' | 'slo' | 'soak';
  concurrency: number[];
  rate?: number;
  arrivals?: Arrivals;
  p99: number;
  duration: number;
  warmUp?: number;
  maxInFlight: number;
  timeout: number;
  seed: number;
  header: string[];
  pid?: number;
  maxGrowth?: number;
  out?: string;
  baseline?: string;
  gate?: number;
  json: boolean;
}

/** What `--mode sweep` tries unless told. */
const SWEEP = [1, 2, 4, 8, 16];

/** Requests in flight of the run that tells a search where to begin. */
const SATURATING = 8;

/** A search ends below the rate that sends so few in a run: their p99 would say nothing. */
const FEWEST_REQUESTS = 10;

/** Seconds of load before a run unless told. */
const WARM_UP_S = 2;

export const loadTestCommand: CommandModule<object, LoadTestArgs> = {
  command: 'load-test <url>',
  describe: 'Load-test any detector that takes pictures by POST',
  builder: (yargs) =>
    jsonOption(yargs)
      .positional('url', { type: 'string', demandOption: true, describe: 'Where to post, such as http://…/predict' })
      .option('image', { type: 'string', array: true, demandOption: true, describe: 'Pictures, sent in turns' })
      .option('body', {
        choices: BODIES,
        default: 'raw' as const,
        describe: 'The picture as the body, as multipart, or as base64 in JSON',
      })
      .option('field', { type: 'string', default: 'image', describe: 'Name of its field, of a form or JSON' })
      .option('header', { type: 'string', array: true, default: [], describe: '"Name: value" to send; not stored' })
      .option('mode', {
        choices: ['closed', 'open', 'sweep', 'slo', 'soak'] as const,
        default: 'closed' as const,
        describe: 'Next request after an answer; by the clock; closed, several; search of a rate; long, memory watched',
      })
      .option('concurrency', {
        type: 'number',
        array: true,
        default: [],
        describe: 'Requests in flight: closed, sweep, soak',
      })
      .option('rate', { type: 'number', describe: 'Requests a second: open, soak; where to begin: slo' })
      .option('arrivals', {
        choices: ['poisson', 'constant'] as const,
        describe: 'Of requests by the clock [default: constant in a soak, else poisson]',
      })
      .option('p99', { type: 'number', default: 200, describe: 'Milliseconds the search keeps the p99 below' })
      .option('duration', { type: 'number', default: 10, describe: 'Seconds measured, each run' })
      .option('warm-up', { type: 'number', describe: 'Seconds of load before [default: 2; a tenth of a soak]' })
      .option('max-in-flight', { type: 'number', default: 1000, describe: 'Most requests under way by the clock' })
      .option('timeout', { type: 'number', default: 30, describe: 'Seconds after which no answer is an error' })
      .option('seed', { type: 'number', default: 0, describe: 'Of Poisson arrivals' })
      .option('pid', { type: 'number', describe: 'Server process whose CPU and memory to sample, with those below it' })
      .option('max-growth', {
        type: 'number',
        describe: "Exit code 1 if the server's memory grows by more than this share in a soak",
      })
      .option('out', { type: 'string', requiresArg: true, describe: 'Folder for result.json and report.html' })
      .option('baseline', { type: 'string', requiresArg: true, describe: 'Earlier result.json to compare with' })
      .option('gate', { type: 'number', describe: 'Exit code 1 if worse than the baseline by more than this share' })
      .check((args) => checkMode(args as never))
      .implies('gate', 'baseline')
      .implies('max-growth', 'pid')
      .example('$0 load-test http://127.0.0.1:8080/predict --image dog.jpg --mode sweep --out load', 'Find saturation')
      .example('$0 load-test URL --image *.jpg --mode slo --p99 100', 'Highest rate with p99 below 100 ms')
      .example(
        '$0 load-test URL --image *.jpg --mode soak --rate 50 --duration 1800 --pid PID --max-growth 0.02',
        'Half an hour, memory flat',
      ) as never,
  handler: loadTest,
};

async function loadTest(args: LoadTestArgs): Promise<void> {
  checkLoadFlags(args);
  const baseline = args.baseline === undefined ? undefined : await readBaseline(args.baseline);
  const payloads = await Promise.all(args.image.map((file) => payloadOf(file, args)));
  const headers = Object.fromEntries(args.header.map(headerOf));
  const target: Target = { url: args.url, payloads, headers, timeoutSeconds: args.timeout };
  await checkTarget(target);
  const result: LoadTestResult = {
    format: 1,
    created: new Date().toISOString(),
    url: args.url,
    pictures: payloads.length,
    ...(await untilInterrupted((signal) => runAll(target, args, signal))),
  };
  const comparisons = baseline ? compareRuns(result, baseline) : [];
  if (baseline && comparisons.length === 0) log('load-test: the baseline has no run of the same load');
  if (args.out !== undefined) await write(args.out, result, comparisons);
  const missed = args.gate === undefined ? [] : missedGate(comparisons, args.gate);
  const passed = missed.length === 0 && result.soak?.passed !== false;
  if (!passed) process.exitCode = 1;
  const gated = args.gate !== undefined || result.soak !== undefined;
  printResult(
    { ...result, ...(baseline && { comparisons }), ...(gated && { passed }) },
    [
      ...result.runs.map(describeRun),
      ...describeObjective(result),
      ...comparisons.map(describeComparison),
      ...missed.map(({ name }) => `MISSED the gate: ${name}`),
    ].join('\n'),
    args,
  );
}

/** Ctrl-C ends the run in hand, whose result is still told; a second one ends the process as usual. */
async function untilInterrupted<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const interrupt = () => {
    log('load-test: interrupted; ending with what was measured');
    controller.abort();
  };
  process.once('SIGINT', interrupt);
  try {
    return await work(controller.signal);
  } finally {
    process.off('SIGINT', interrupt);
  }
}

async function runAll(
  target: Target,
  args: LoadTestArgs,
  signal: AbortSignal,
): Promise<Pick<LoadTestResult, 'runs' | 'slo' | 'soak'>> {
  const { maxInFlight, seed, pid, mode, duration: seconds } = args;
  const soaking = mode === 'soak';
  const options: RunOptions = {
    seconds,
    warmupSeconds: args.warmUp ?? (soaking ? soakWarmUp(seconds) : WARM_UP_S),
    pid,
    windows: soaking ? soakWindows(seconds) : undefined,
    signal,
  };
  const arrivals = args.arrivals ?? (soaking ? 'constant' : 'poisson');
  const open = (rate: number) => openLoop(target, { ...options, rate, arrivals, maxInFlight, seed });
  const closed = (concurrency: number) => closedLoop(target, { ...options, concurrency });
  if (mode === 'open') return { runs: [await open(args.rate as number)] };
  if (mode === 'soak') {
    const run = withGrowth(await (args.rate === undefined ? closed(args.concurrency[0]) : open(args.rate)));
    const { maxGrowth: limit } = args;
    return { runs: [run], soak: limit === undefined ? limit : { max_growth: limit, passed: passesGrowth(run, limit) } };
  }
  const runs: RunResult[] = [];
  if (mode === 'slo') {
    const start = args.rate ?? (await closed(SATURATING)).goodput;
    const meets = async (rate: number) => {
      const run = await open(rate);
      runs.push(run);
      log(`load-test: ${describeRun(run)}`);
      return meetsObjective(run, args.p99);
    };
    const lowest = FEWEST_REQUESTS / seconds;
    const rate = await highestRate(meets, { start: Math.max(start, lowest), lowest, signal });
    return { slo: { p99_ms: args.p99, rate }, runs };
  }
  const asked = args.concurrency.length > 0 ? args.concurrency : mode === 'sweep' ? SWEEP : [1];
  for (const concurrency of asked) if (!signal.aborted) runs.push(await closed(concurrency));
  return { runs };
}

async function write(out: string, result: LoadTestResult, comparisons: readonly Comparison[]): Promise<void> {
  const { loadReport } = await import('../report/load_report.js');
  await makeDir(out);
  await writeJson(join(out, 'result.json'), result);
  await writeAtomic(join(out, 'report.html'), await loadReport(result, comparisons));
  log(`load-test: ${join(out, 'report.html')}`);
}
