import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '../base/errors.js';
import { startProgress } from '../base/progress.js';
import { type Arrivals, arrivalTimes } from './arrivals.js';
import { Client, type Target } from './client.js';
import { ProcessSampler } from './process_use.js';
import { Recorder } from './recorder.js';
import { type Load, loadName, type RunResult } from './result.js';

export interface RunOptions {
  /** Measured time. */
  seconds: number;
  /** Warm-up load, which does not count. */
  warmupSeconds: number;
  /** Process to sample for CPU and memory, including its descendants. */
  pid?: number;
  /** Number of windows to report (default 10). */
  windows?: number;
  /** Ends the run early with what was measured so far. */
  signal?: AbortSignal;
}

export interface OpenOptions extends RunOptions {
  /** Requests per second. */
  rate: number;
  arrivals: Arrivals;
  /** Most requests in flight; further ones wait, and the wait counts as latency. */
  maxInFlight: number;
  /** Seed of the arrivals. */
  seed: number;
}

/** Milliseconds a closed loop waits after a request without an answer, so as not to spin on a dead server. */
const PAUSE_MS = 50;

/** Timers have millisecond resolution: a request due sooner than this is sent immediately. */
const TIMER_SLACK_MS = 0.5;

/** Samples of a process: one per second, within these bounds for short and long runs. */
const FEWEST_SAMPLES = 50;
const MOST_SAMPLES = 600;
const INTERVAL_MS = 1000;

/** What a load controls: a clock in milliseconds since the start of the measured time, and the requests. */
interface Course {
  now(): number;
  /** Whether the time is over, or the run has been interrupted. */
  over(): boolean;
  /** Posts a request whose latency counts from `due`. Resolves to whether there was an answer. */
  post(due: number): Promise<boolean>;
}

/** Keeps `concurrency` requests in flight: each answer triggers the next request. */
export function closedLoop(target: Target, options: RunOptions & { concurrency: number }): Promise<RunResult> {
  const { concurrency } = options;
  return measure(target, options, { mode: 'closed', concurrency }, concurrency, async ({ now, over, post }) => {
    const user = async () => {
      while (!over()) if (!(await post(now()))) await sleep(PAUSE_MS);
    };
    await Promise.all(Array.from({ length: concurrency }, user));
    return { capped: 0 };
  });
}

/**
 * Sends at a rate, whether or not the server keeps up. Latency counts from when a request was due, so waiting behind a
 * slow answer is not omitted.
 */
export function openLoop(target: Target, options: OpenOptions): Promise<RunResult> {
  const { rate, arrivals, maxInFlight, seed, seconds, warmupSeconds } = options;
  const load: Load = { mode: 'open', rate, arrivals, max_in_flight: maxInFlight };
  return measure(target, options, load, maxInFlight, async ({ now, post }) => {
    const underWay = new Set<Promise<unknown>>();
    let free = () => {};
    let capped = 0;
    for (const time of arrivalTimes(arrivals, rate, warmupSeconds + seconds, seed)) {
      const due = time - warmupSeconds * 1000;
      const wait = due - now();
      if (wait > TIMER_SLACK_MS) await pause(Math.max(1, Math.round(wait)), options.signal);
      if (options.signal?.aborted) break;
      if (underWay.size >= maxInFlight) {
        if (due >= 0) capped++;
        await new Promise<void>((resolve) => {
          free = resolve;
        });
      }
      const request = post(due).finally(() => {
        underWay.delete(request);
        free();
      });
      underWay.add(request);
    }
    await Promise.all(underWay);
    return { capped };
  });
}

/** Posts every payload once. @throws UserError unless every answer is 2xx */
export async function checkTarget(target: Target): Promise<void> {
  const client = new Client(target, 1);
  try {
    for (const [index] of target.payloads.entries()) {
      const { status, error } = await client.post();
      if (status !== undefined && status >= 200 && status < 300) continue;
      throw new UserError({
        where: target.url,
        field: `image ${index + 1}`,
        expected: 'an answer with status 200 to 299',
        received: status ?? error,
      });
    }
  } finally {
    await client.close();
  }
}

/** Waits until the time is over or `signal` aborts. */
async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}

async function measure(
  target: Target,
  { seconds, warmupSeconds, pid, windows, signal }: RunOptions,
  load: Load,
  connections: number,
  drive: (course: Course) => Promise<{ capped: number }>,
): Promise<RunResult> {
  const end = seconds * 1000;
  const client = new Client(target, connections);
  const recorder = new Recorder(seconds, windows);
  const start = performance.now();
  const ownCpu = process.cpuUsage();
  const zero = start + warmupSeconds * 1000;
  const now = () => performance.now() - zero;
  const over = () => signal?.aborted === true || now() >= end;
  const sampler = pid === undefined ? undefined : new ProcessSampler(pid, sampleInterval(end), now);
  const progress = startSecondsProgress(load, Math.ceil(warmupSeconds + seconds), () => now() / 1000 + warmupSeconds);
  let inFlight = 0;
  let most = 0;
  const post = async (due: number) => {
    const sent = now();
    most = Math.max(most, ++inFlight);
    const outcome = await client.post();
    inFlight--;
    recorder.add({ due, sent, done: now() }, outcome);
    return outcome.status !== undefined;
  };
  try {
    const { capped } = await drive({ now, over, post });
    const { user, system } = process.cpuUsage(ownCpu);
    const interrupted = signal?.aborted === true && now() < end;
    return {
      load,
      warm_up_s: warmupSeconds,
      ...recorder.result(interrupted ? Math.max(0, now() / 1000) : seconds),
      capped,
      in_flight_max: most,
      process: sampler?.stop(end),
      client_cores: (user + system) / 1000 / (performance.now() - start),
      interrupted,
    };
  } finally {
    sampler?.stop(end);
    progress.stop();
    await client.close();
  }
}

function sampleInterval(end: number): number {
  return Math.max(Math.min(INTERVAL_MS, end / FEWEST_SAMPLES), end / MOST_SAMPLES);
}

/** Shows progress in seconds. */
function startSecondsProgress(load: Load, whole: number, elapsed: () => number): { stop(): void } {
  const progress = startProgress(`${loadName(load)} (seconds)`, whole);
  const ticker = setInterval(() => progress.update(Math.min(whole, Math.round(elapsed()))), 1000);
  return {
    stop() {
      clearInterval(ticker);
      progress.stop();
    },
  };
}
