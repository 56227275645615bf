import { readdirSync, readFileSync } from 'node:fs';
import { UserError } from '../base/errors.js';
import type { ProcessUse } from './result.js';

/** Clock ticks per second in /proc: Linux fixes USER_HZ on x86-64. */
const TICKS = 100;

interface Sample {
  /** Milliseconds on the run's clock. */
  at: number;
  cpuSeconds: number;
  rssMb: number;
}

/** Samples CPU time and memory of a process and its descendants, from /proc, until stopped. */
export class ProcessSampler {
  readonly #samples: Sample[] = [];
  readonly #timer: NodeJS.Timeout;

  /** @throws UserError if there is no such process */
  constructor(pid: number, intervalMs: number, now: () => number) {
    const sample = () => {
      const use = readTree(pid);
      if (use) this.#samples.push({ at: now(), ...use });
    };
    sample();
    if (this.#samples.length === 0) {
      throw new UserError({ where: '--pid', expected: 'the id of a running process', received: pid });
    }
    this.#timer = setInterval(sample, intervalMs);
  }

  /** Returns the use between 0 and `until` milliseconds; undefined unless there are two samples. */
  stop(until: number): ProcessUse | undefined {
    clearInterval(this.#timer);
    const samples = this.#samples.filter(({ at }) => at >= 0 && at <= until);
    const first = samples[0];
    const last = samples.at(-1);
    if (!last || first === last) return undefined;
    return {
      cpu_cores: cores(first, last),
      rss_start_mb: first.rssMb,
      rss_end_mb: last.rssMb,
      rss_max_mb: Math.max(...samples.map(({ rssMb }) => rssMb)),
      samples: samples
        .slice(1)
        .map((sample, i) => ({ at_s: sample.at / 1000, cpu_cores: cores(samples[i], sample), rss_mb: sample.rssMb })),
    };
  }
}

function cores(from: Sample, to: Sample): number {
  // The time of a descendant that ended without being waited for is lost.
  return Math.max(0, (to.cpuSeconds - from.cpuSeconds) / ((to.at - from.at) / 1000));
}

/** Sums over a process and its descendants; undefined if the process has ended. */
function readTree(pid: number): Omit<Sample, 'at'> | undefined {
  const found = processTree(pid).flatMap((one) => readProcess(one) ?? []);
  if (found.length === 0) return undefined;
  return found.reduce((a, b) => ({ cpuSeconds: a.cpuSeconds + b.cpuSeconds, rssMb: a.rssMb + b.rssMb }));
}

/** Undefined if the process has ended. */
function readProcess(pid: number): Omit<Sample, 'at'> | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name, in parentheses, may contain spaces; state, field 3 of proc(5), follows it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // utime, stime, cutime, cstime: fields 14 to 17; the last two count descendants that have ended.
    const ticks = fields.slice(11, 15).reduce((sum, text) => sum + Number(text), 0);
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0;
    return { cpuSeconds: ticks / TICKS, rssMb: Number(kilobytes) / 1024 };
  } catch {
    return undefined;
  }
}

/** A process and its current descendants. */
export function processTree(pid: number): number[] {
  try {
    return [pid, ...childrenOf(pid).flatMap(processTree)];
  } catch {
    return [];
  }
}

function childrenOf(pid: number): number[] {
  const ofThread = (thread: string) => {
    try {
      return readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
    } catch {
      // The thread has ended, or the kernel was built without this list.
      return [];
    }
  };
  return readdirSync(`/proc/${pid}/task`).flatMap(ofThread);
}
