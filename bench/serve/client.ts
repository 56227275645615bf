import { type ChildProcess, execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { LoadTestResult, RunResult } from '../../src/loadtest/result.js';
import { CLI } from './cli.js';
import type { RunningServer } from './servers.js';

/** Room for a result's JSON, bytes. */
const MOST_BYTES = 64 * 2 ** 20;

/** Seconds of a load that somebody will end. */
const ENDLESS_S = 3600;

export interface LoadOptions {
  images: readonly string[];
  seconds: number;
  warmUp: number;
}

/** Keeps `concurrency` requests under way, by `yolox-node load-test` in a process of its own. */
export const closed = (server: RunningServer, concurrency: number, options: LoadOptions): Promise<RunResult> =>
  loadTest(server, closedLoad(concurrency), options).result;

/** Sends `rate` requests a second, as independent users would. */
export const open = (server: RunningServer, rate: number, options: LoadOptions): Promise<RunResult> =>
  loadTest(server, ['--mode', 'open', '--rate', String(rate)], options).result;

/** As `closed`, until it is stopped. */
export function closedUntilStopped(server: RunningServer, concurrency: number, options: Omit<LoadOptions, 'seconds'>) {
  const { child, result } = loadTest(server, closedLoad(concurrency), { ...options, seconds: ENDLESS_S });
  return {
    stop(): Promise<RunResult> {
      child.kill('SIGINT');
      return result;
    },
  };
}

const closedLoad = (concurrency: number) => ['--mode', 'closed', '--concurrency', String(concurrency)];

function loadTest(
  { url, pid, server: { body, field } }: RunningServer,
  load: readonly string[],
  { images, seconds, warmUp }: LoadOptions,
): { child: ChildProcess; result: Promise<RunResult> } {
  const times = ['--duration', String(seconds), '--warm-up', String(warmUp)];
  const sent = ['--body', body, '--field', field, '--image', ...images];
  const args = [CLI, 'load-test', url, ...load, ...times, ...sent, '--pid', String(pid), '--json'];
  const running = promisify(execFile)(process.execPath, args, { maxBuffer: MOST_BYTES });
  const result = running.then(({ stdout }) => (JSON.parse(stdout) as LoadTestResult).runs[0]);
  return { child: running.child, result };
}
