import { join } from 'node:path';
import { makeDir, sha256File, writeAtomic, writeJson } from '../../base/files.js';
import { refuseReplacing } from '../../base/outputs.js';
import { log } from '../../base/progress.js';
import { type Comparison, checkBaseline, compareRuns, missedGate, readBaseline } from '../../loadtest/baseline.js';
import type { Target } from '../../loadtest/client.js';
import { describeComparison, describeObjective, describeRun } from '../../loadtest/describe.js';
import { imagesHash, payloadOf } from '../../loadtest/payload.js';
import type { Load, LoadTestResult, RunResult } from '../../loadtest/result.js';
import { checkTarget, closedLoop, openLoop, type RunOptions } from '../../loadtest/run.js';
import { highestRate, meetsObjective } from '../../loadtest/search.js';
import { passesGrowth, soakWarmUp, soakWindows, withGrowth } from '../../loadtest/soak.js';
import { defineCommand } from '../command.js';
import { printResult } from '../shared.js';
import { checkMode, headerOf, type LoadTestArgs, loadTestOptions } from './load_test_options.js';

/** Default concurrencies of `--mode sweep`. */
const SWEEP = [1, 2, 4, 8, 16];

/** Requests in flight of the run that gives a search its starting rate. */
const SATURATING = 8;

/** A search stops at rates that send fewer requests than this in a run, because their p99 would say nothing. */
const FEWEST_REQUESTS = 10;

/** Default seconds of load before measuring. */
const WARM_UP_S = 2;

export const loadTestCommand = defineCommand({
  command: 'load-test <url>',
  describe: 'Load-test any detector that accepts images by POST',
  options: loadTestOptions,
  examples: [
    [
      'load-test http://127.0.0.1:8080/predict --image dog.jpg --mode sweep --out load',
      'Find where the service saturates',
    ],
    ['load-test URL --image *.jpg --mode slo --p99 100', 'Find the highest rate with p99 below 100 ms'],
    [
      'load-test URL --image *.jpg --mode soak --rate 50 --duration 1800 --pid PID --max-growth 0.02',
      'Run for half an hour and check that memory stays flat',
    ],
  ],
  async handler(args, { given }) {
    checkMode(args, given);
    await loadTest(args);
  },
});

/** Files in --out. */
const [RESULT, REPORT] = ['result.json', 'report.html'];

async function loadTest(args: LoadTestArgs): Promise<void> {
  if (args.out !== undefined) {
    const inputs = [...args.image, ...(args.baseline === undefined ? [] : [args.baseline])];
    for (const name of [RESULT, REPORT]) await refuseReplacing(join(args.out, name), inputs);
  }
  const payloads = await Promise.all(args.image.map((file) => payloadOf(file, args)));
  const { mode, body } = args;
  const kind = { mode, body, images_sha256: imagesHash(await Promise.all(args.image.map(sha256File))) };
  const baseline = args.baseline === undefined ? undefined : await readBaseline(args.baseline);
  if (baseline && args.baseline !== undefined) {
    const plan = { ...kind, loads: loadsOf(args), p99_ms: args.p99 };
    for (const notice of checkBaseline(args.baseline, baseline, plan)) log(`load-test: ${notice}`);
  }
  const headers = Object.fromEntries(args.header.map(headerOf));
  const target: Target = { url: args.url, payloads, headers, timeoutSeconds: args.timeout };
  await checkTarget(target);
  const result: LoadTestResult = {
    format: 1,
    created: new Date().toISOString(),
    url: args.url,
    ...kind,
    images: payloads.length,
    ...(await untilInterrupted((signal) => runAll(target, args, signal))),
  };
  const comparisons = baseline ? compareRuns(result, baseline) : [];
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

/** Ctrl-C ends the current run, whose result is still reported; a second Ctrl-C ends the process as usual. */
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

/** The loads of all runs of a test; a search chooses its own. */
function loadsOf(args: LoadTestArgs): Load[] {
  const { mode, concurrency, rate, maxInFlight } = args;
  if (mode === 'slo') return [];
  if (rate !== undefined) return [{ mode: 'open', rate, arrivals: arrivalsOf(args), max_in_flight: maxInFlight }];
  const asked = concurrency.length > 0 ? concurrency : mode === 'sweep' ? SWEEP : [1];
  return asked.map((one) => ({ mode: 'closed', concurrency: one }));
}

const arrivalsOf = ({ arrivals, mode }: LoadTestArgs) => arrivals ?? (mode === 'soak' ? 'constant' : 'poisson');

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
  const open = (rate: number) => openLoop(target, { ...options, rate, arrivals: arrivalsOf(args), maxInFlight, seed });
  const closed = (concurrency: number) => closedLoop(target, { ...options, concurrency });
  const under = (load: Load) => (load.mode === 'open' ? open(load.rate) : closed(load.concurrency));
  if (soaking) {
    const run = withGrowth(await under(loadsOf(args)[0]));
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
  for (const load of loadsOf(args)) if (!signal.aborted) runs.push(await under(load));
  return { runs };
}

async function write(out: string, result: LoadTestResult, comparisons: readonly Comparison[]): Promise<void> {
  const { loadReport } = await import('../../report/load_report.js');
  await makeDir(out);
  await writeJson(join(out, RESULT), result);
  await writeAtomic(join(out, REPORT), await loadReport(result, comparisons));
  log(`load-test: ${join(out, REPORT)}`);
}
