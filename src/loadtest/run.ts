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
  /** Load before it, which does not count. */
  warmupSeconds: number;
  /** Process whose CPU and memory are sampled, its descendants included. */
  pid?: number;
  /** Parts the measured time is told in (default 10). */
  windows?: number;
  /** Ends the run early; what was measured until then is its result. */
  signal?: AbortSignal;
}

export interface OpenOptions extends RunOptions {
  /** Requests a second. */
  rate: number;
  arrivals: Arrivals;
  /** Requests beyond so many under way wait for one of them; the wait counts. */
  maxInFlight: number;
  /** Of the arrivals. */
  seed: number;
}

/** Milliseconds a closed loop waits after a request without an answer, so as not to spin on a dead server. */
const PAUSE_MS = 50;

/** Timers go by whole milliseconds: a request due sooner than this is sent at once. */
const TIMER_SLACK_MS = 0.5;

/** Samples of a process: one a second, but more than so few in a short run and not more than so many in a long one. */
const FEWEST_SAMPLES = 50;
const MOST_SAMPLES = 600;
const INTERVAL_MS = 1000;

/** What a load drives: a clock in milliseconds from the beginning of the measured time, and the requests. */
interface Course {
  now(): number;
  /** Whether the time is over, or the run has been interrupted. */
  over(): boolean;
  /** Posts; `due` is the time from which the latency counts. Resolves to whether there was an answer. */
  post(due: number): Promise<boolean>;
}

/** Keeps `concurrency` requests under way: each answer is followed by the next request. */
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
 * Sends by the clock, whether or not the server keeps up. Latency counts from when a request was due: what waits behind
 * a slow answer is not omitted.
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

/** Posts every payload once. @throws UserError unless each is answered 2xx */
export async function checkTarget(target: Target): Promise<void> {
  const client = new Client(target, 1);
  try {
    for (const [index] of target.payloads.entries()) {
      const { status, error } = await client.post();
      if (status !== undefined && status >= 200 && status < 300) continue;
      throw new UserError({
        where: target.url,
        field: `image ${index + 1}`,
        expected: 'an answer of status 200 to 299',
        received: status ?? error,
      });
    }
  } finally {
    await client.close();
  }
}

/** Waits, at most until `signal`. */
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

/** A progress that goes by the clock. */
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
