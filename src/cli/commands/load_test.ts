import { join } from 'node:path';
import { makeDir, writeAtomic, writeJson } from '../../base/files.js';
import { refuseReplacing } from '../../base/outputs.js';
import { log } from '../../base/progress.js';
import { describeComparison, describeObjective, describeRun } from '../../loadtest/describe.js';
import { type LoadTestOutcome, loadTest } from '../../loadtest/load_test.js';
import { defineCommand } from '../command.js';
import { printResult } from '../shared.js';
import { checkMode, headerOf, type LoadTestArgs, loadTestOptions } from './load_test_options.js';

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
    await runLoadTest(args);
  },
});

/** Files in --out. */
const [RESULT, REPORT] = ['result.json', 'report.html'];

async function runLoadTest(args: LoadTestArgs): Promise<void> {
  const { out, baseline, gate } = args;
  if (out !== undefined) {
    const inputs = [...args.image, ...(baseline === undefined ? [] : [baseline])];
    for (const name of [RESULT, REPORT]) await refuseReplacing(join(out, name), inputs);
  }
  const headers = Object.fromEntries(args.header.map(headerOf));
  const outcome = await untilInterrupted((signal) => loadTest({ ...args, headers }, signal));
  if (out !== undefined) await write(out, outcome);
  const { result, comparisons, missed, passed } = outcome;
  if (!passed) process.exitCode = 1;
  const gated = gate !== undefined || result.soak !== undefined;
  printResult(
    { ...result, ...(baseline !== undefined && { comparisons }), ...(gated && { passed }) },
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
    log('load-test: interrupted; reporting what was measured so far');
    controller.abort();
  };
  process.once('SIGINT', interrupt);
  try {
    return await work(controller.signal);
  } finally {
    process.off('SIGINT', interrupt);
  }
}

async function write(out: string, { result, comparisons }: LoadTestOutcome): Promise<void> {
  const { loadReport } = await import('../../report/load_report.js');
  await makeDir(out);
  await writeJson(join(out, RESULT), result);
  await writeAtomic(join(out, REPORT), await loadReport(result, comparisons));
  log(`load-test: ${join(out, REPORT)}`);
}
