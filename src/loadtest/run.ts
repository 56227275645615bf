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
  /** Process whose CPU and memory are sampled. */
  pid?: number;
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

/** Samples of a process in a run, and the longest time between two. */
const SAMPLES = 50;
const LONGEST_INTERVAL_MS = 1000;

/** What a load drives: a clock in milliseconds from the beginning of the measured time, and the requests. */
interface Course {
  now(): number;
  /** Posts; `due` is the time from which the latency counts. Resolves to whether there was an answer. */
  post(due: number): Promise<boolean>;
}

/** Keeps `concurrency` requests under way: each answer is followed by the next request. */
export function closedLoop(target: Target, options: RunOptions & { concurrency: number }): Promise<RunResult> {
  const { concurrency } = options;
  const end = options.seconds * 1000;
  return measure(target, options, { mode: 'closed', concurrency }, concurrency, async ({ now, post }) => {
    const user = async () => {
      while (now() < end) if (!(await post(now()))) await sleep(PAUSE_MS);
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
      if (wait > TIMER_SLACK_MS) await sleep(Math.max(1, Math.round(wait)));
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
        field: `picture ${index + 1}`,
        expected: 'an answer of status 200 to 299',
        received: status ?? error,
      });
    }
  } finally {
    await client.close();
  }
}

async function measure(
  target: Target,
  { seconds, warmupSeconds, pid }: RunOptions,
  load: Load,
  connections: number,
  drive: (course: Course) => Promise<{ capped: number }>,
): Promise<RunResult> {
  const end = seconds * 1000;
  const client = new Client(target, connections);
  const recorder = new Recorder(seconds);
  const zero = performance.now() + warmupSeconds * 1000;
  const now = () => performance.now() - zero;
  const sampler =
    pid === undefined ? undefined : new ProcessSampler(pid, Math.min(LONGEST_INTERVAL_MS, end / SAMPLES), now);
  const whole = Math.ceil(warmupSeconds + seconds);
  const progress = startProgress(`${loadName(load)} (seconds)`, whole);
  const ticker = setInterval(() => progress.update(Math.min(whole, Math.round(now() / 1000 + warmupSeconds))), 1000);
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
    const { capped } = await drive({ now, post });
    const use = sampler?.stop(end);
    return { load, warm_up_s: warmupSeconds, ...recorder.result(), capped, in_flight_max: most, process: use };
  } finally {
    clearInterval(ticker);
    sampler?.stop(end);
    progress.stop();
    await client.close();
  }
}
