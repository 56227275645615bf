import { mkdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { CommandModule } from 'yargs';
import { UserError } from '../base/errors.js';
import { writeAtomic, writeJson } from '../base/files.js';
import { log } from '../base/progress.js';
import type { Arrivals } from '../loadtest/arrivals.js';
import { type Comparison, compareRuns, missedGate, readBaseline } from '../loadtest/baseline.js';
import type { Payload, Target } from '../loadtest/client.js';
import { failuresOf, type LoadTestResult, loadName, type RunResult } from '../loadtest/result.js';
import { checkTarget, closedLoop, openLoop } from '../loadtest/run.js';
import { highestRate, meetsObjective } from '../loadtest/search.js';
import { jsonOption, printResult } from './shared.js';

interface LoadTestArgs {
  url: string;
  image: string[];
  mode: 'closed' | 'open' | 'sweep' | 'slo';
  concurrency: number[];
  rate?: number;
  arrivals: Arrivals;
  p99: number;
  duration: number;
  warmUp: number;
  maxInFlight: number;
  timeout: number;
  seed: number;
  form?: string;
  header: string[];
  pid?: number;
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

export const loadTestCommand: CommandModule<object, LoadTestArgs> = {
  command: 'load-test <url>',
  describe: 'Load-test any detector that takes pictures by POST',
  builder: (yargs) =>
    jsonOption(yargs)
      .positional('url', { type: 'string', demandOption: true, describe: 'Where to post, such as http://…/predict' })
      .option('image', { type: 'string', array: true, demandOption: true, describe: 'Pictures, sent in turns' })
      .option('form', { type: 'string', requiresArg: true, describe: 'Send multipart, the picture in this field' })
      .option('header', { type: 'string', array: true, default: [], describe: 'Headers to send: "Name: value"' })
      .option('mode', {
        choices: ['closed', 'open', 'sweep', 'slo'] as const,
        default: 'closed' as const,
        describe: 'The next request after an answer; by the clock; closed over concurrencies; search of a rate',
      })
      .option('concurrency', {
        type: 'number',
        array: true,
        default: [],
        describe: 'Requests in flight: closed, sweep',
      })
      .option('rate', { type: 'number', describe: 'Requests a second: open; where to begin: slo' })
      .option('arrivals', {
        choices: ['poisson', 'constant'] as const,
        default: 'poisson' as const,
        describe: 'Of requests by the clock',
      })
      .option('p99', { type: 'number', default: 200, describe: 'Milliseconds the search keeps the p99 below' })
      .option('duration', { type: 'number', default: 10, describe: 'Seconds measured, each run' })
      .option('warm-up', { type: 'number', default: 2, describe: 'Seconds of load before' })
      .option('max-in-flight', { type: 'number', default: 1000, describe: 'Most requests under way by the clock' })
      .option('timeout', { type: 'number', default: 30, describe: 'Seconds after which no answer is an error' })
      .option('seed', { type: 'number', default: 0, describe: 'Of Poisson arrivals' })
      .option('pid', { type: 'number', describe: 'Server process whose CPU and memory to sample' })
      .option('out', { type: 'string', requiresArg: true, describe: 'Folder for result.json and report.html' })
      .option('baseline', { type: 'string', requiresArg: true, describe: 'Earlier result.json to compare with' })
      .option('gate', { type: 'number', describe: 'Exit code 1 if worse than the baseline by more than this share' })
      .check(({ mode, rate }) => mode !== 'open' || rate !== undefined || '--mode open needs --rate.')
      .implies('gate', 'baseline')
      .example('$0 load-test http://127.0.0.1:8080/predict --image dog.jpg --mode sweep --out load', 'Find saturation')
      .example('$0 load-test URL --image *.jpg --mode slo --p99 100', 'Highest rate with p99 below 100 ms') as never,
  handler: loadTest,
};

async function loadTest(args: LoadTestArgs): Promise<void> {
  checkFlags(args);
  const baseline = args.baseline === undefined ? undefined : await readBaseline(args.baseline);
  const payloads = await Promise.all(args.image.map((file) => payloadOf(file, args.form)));
  const headers = Object.fromEntries(args.header.map(headerOf));
  const target: Target = { url: args.url, payloads, headers, timeoutSeconds: args.timeout };
  await checkTarget(target);
  const result: LoadTestResult = {
    format: 1,
    created: new Date().toISOString(),
    url: args.url,
    pictures: payloads.length,
    ...(await runAll(target, args)),
  };
  const comparisons = baseline ? compareRuns(result, baseline) : [];
  if (baseline && comparisons.length === 0) log('load-test: the baseline has no run of the same load');
  if (args.out !== undefined) await write(args.out, result, comparisons);
  const missed = args.gate === undefined ? [] : missedGate(comparisons, args.gate);
  if (missed.length > 0) process.exitCode = 1;
  printResult(
    { ...result, ...(baseline && { comparisons }), ...(args.gate !== undefined && { passed: missed.length === 0 }) },
    [...result.runs.map(describe), ...objectiveLine(result), ...comparisons.map(compared), ...missed.map(miss)].join(
      '\n',
    ),
    args,
  );
}

async function runAll(target: Target, args: LoadTestArgs): Promise<Pick<LoadTestResult, 'runs' | 'slo'>> {
  const { arrivals, maxInFlight, seed, pid, mode } = args;
  const options = { seconds: args.duration, warmupSeconds: args.warmUp, pid };
  const open = (rate: number) => openLoop(target, { ...options, rate, arrivals, maxInFlight, seed });
  const runs: RunResult[] = [];
  if (mode === 'open') return { runs: [await open(args.rate as number)] };
  if (mode === 'slo') {
    const start = args.rate ?? (await closedLoop(target, { ...options, concurrency: SATURATING })).goodput;
    const meets = async (rate: number) => {
      const run = await open(rate);
      runs.push(run);
      log(`load-test: ${describe(run)}`);
      return meetsObjective(run, args.p99);
    };
    const lowest = FEWEST_REQUESTS / args.duration;
    const rate = await highestRate(meets, { start: Math.max(start, lowest), lowest });
    return { slo: { p99_ms: args.p99, rate }, runs };
  }
  const asked = args.concurrency.length > 0 ? args.concurrency : mode === 'sweep' ? SWEEP : [1];
  for (const concurrency of asked) runs.push(await closedLoop(target, { ...options, concurrency }));
  return { runs };
}

async function payloadOf(file: string, field: string | undefined): Promise<Payload> {
  const data = await readFile(file).catch((cause: NodeJS.ErrnoException) => {
    throw new UserError({ where: file, expected: 'a readable picture', received: cause.code }, { cause });
  });
  if (field === undefined) return { data, type: 'application/octet-stream' };
  const form = new FormData();
  form.set(field, new Blob([data]), basename(file));
  // The platform's own encoder, which also chooses the boundary.
  const encoded = new Response(form);
  return { type: encoded.headers.get('content-type') ?? '', data: Buffer.from(await encoded.arrayBuffer()) };
}

function headerOf(text: string): [name: string, value: string] {
  const [, name, value] = /^([!#$%&'*+.^`|~\w-]+):\s*([^\r\n]*)$/.exec(text) ?? [];
  if (name === undefined) throw new UserError({ where: '--header', expected: '"Name: value"', received: text });
  return [name.toLowerCase(), value];
}

function checkFlags(args: LoadTestArgs): void {
  const { url, rate = 1, p99, duration, warmUp, timeout, maxInFlight, concurrency, gate = 0 } = args;
  const need = (flag: string, received: unknown, ok: boolean, expected: string) => {
    if (!ok) throw new UserError({ where: flag, expected, received });
  };
  need('url', url, /^https?:$/.test(URL.canParse(url) ? new URL(url).protocol : ''), 'an http or https address');
  for (const [flag, value] of Object.entries({ rate, p99, duration, timeout }))
    need(`--${flag}`, value, value > 0 && value < Number.POSITIVE_INFINITY, 'a number above 0');
  for (const [flag, value] of Object.entries({ 'warm-up': warmUp, gate }))
    need(`--${flag}`, value, value >= 0 && value < Number.POSITIVE_INFINITY, 'a number of 0 or more');
  for (const value of [...concurrency, maxInFlight])
    need('--concurrency, --max-in-flight', value, Number.isInteger(value) && value > 0, 'whole numbers above 0');
}

async function write(out: string, result: LoadTestResult, comparisons: readonly Comparison[]): Promise<void> {
  const { loadReport } = await import('../report/load_report.js');
  await mkdir(out, { recursive: true });
  await writeJson(join(out, 'result.json'), result);
  await writeAtomic(join(out, 'report.html'), await loadReport(result, comparisons));
  log(`load-test: ${join(out, 'report.html')}`);
}

function describe(run: RunResult): string {
  const { load, goodput, latency, steady, capped, process: use } = run;
  const { total } = run.server;
  return [
    `${loadName(load)}: ${goodput.toFixed(1)}/s`,
    latency
      ? `p50 ${ms(latency.p50_ms)}, p90 ${ms(latency.p90_ms)}, p99 ${ms(latency.p99_ms)}, p99.9 ${ms(latency.p999_ms)}, max ${ms(latency.max_ms)}`
      : 'nothing answered 2xx',
    `${failuresOf(run)} failed`,
    ...(total ? [`server p50 ${ms(total.p50_ms)}`] : []),
    ...(use ? [`${use.cpu_cores.toFixed(2)} cores, ${use.rss_max_mb.toFixed(0)} MB`] : []),
    ...(capped > 0 ? [`${capped} waited for the limit in flight`] : []),
    ...(steady ? [] : ['not steady']),
  ].join('; ');
}

function objectiveLine({ slo }: LoadTestResult): string[] {
  return slo ? [`highest rate with p99 < ${slo.p99_ms} ms: ${slo.rate.toFixed(1)}/s`] : [];
}

function compared({ name, throughput, p50, p99 }: Comparison): string {
  const ratio = (value?: number) => (value === undefined ? '–' : `${value.toFixed(3)}×`);
  return `against the baseline, ${name}: throughput ${ratio(throughput)}, p50 ${ratio(p50)}, p99 ${ratio(p99)}`;
}

function miss({ name }: Comparison): string {
  return `MISSED the gate: ${name}`;
}

function ms(value: number): string {
  return `${value.toFixed(2)} ms`;
}
