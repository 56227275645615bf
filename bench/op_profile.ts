import { tf } from '../src/kernels/tf.js';
import { spread } from './paired.js';

export interface OpShare {
  /** TensorFlow's name of the op; in brackets what else the binding does: tensors made, read and freed. */
  op: string;
  /** Calls in one run. */
  count: number;
  /** Wall clock of all calls of one run. On a GPU the time to dispatch them, and of `(read)` the wait for results. */
  ms: number;
  /** Percent of the run's time. */
  share: number;
}

export interface OpProfile {
  /** Wall clock of one run. */
  ms: number;
  /** TensorFlow ops one run dispatches. */
  ops: number;
  /** Wall clock outside the binding: JavaScript. */
  outside: { ms: number; share: number };
  /** Most time first. */
  shares: OpShare[];
}

type Binding = Record<string, (...arguments_: unknown[]) => unknown>;
type Times = Map<string, { count: number; ms: number }>;

const OTHER: Record<string, string> = { createTensor: '(create)', tensorDataSync: '(read)', deleteTensor: '(free)' };

/** Runs `work` a few times and says which of TensorFlow's ops its time goes to. Every figure is a median over runs. */
export function profileOps(work: () => void, { rounds, warmUp }: { rounds: number; warmUp: number }): OpProfile {
  for (let round = 0; round < warmUp; round++) work();
  const runs = Array.from({ length: rounds }, () => measured(work));
  const median = (of: (run: (typeof runs)[number]) => number) => spread(runs.map(of)).median;
  const ms = median((run) => run.ms);
  const share = (part: number) => (100 * part) / ms;
  const shares = [...new Set(runs.flatMap(({ times }) => [...times.keys()]))].map((op) => {
    const spent = median(({ times }) => times.get(op)?.ms ?? 0);
    return { op, count: median(({ times }) => times.get(op)?.count ?? 0), ms: spent, share: share(spent) };
  });
  const outside = median((run) => run.ms - sum([...run.times.values()].map((time) => time.ms)));
  return {
    ms,
    ops: sum(shares.filter(({ op }) => !op.startsWith('(')).map(({ count }) => count)),
    outside: { ms: outside, share: share(outside) },
    shares: shares.sort((a, b) => b.ms - a.ms),
  };
}

/** One run with a clock around every call into the binding, which returns from an op on a CPU when it is done. */
function measured(work: () => void): { ms: number; times: Times } {
  const backend = tf.backend() as unknown as { binding: Binding };
  const { binding } = backend;
  const times: Times = new Map();
  const timed =
    (call: Binding[string], nameOf: (arguments_: unknown[]) => string) =>
    (...arguments_: unknown[]) => {
      const start = performance.now();
      const result = call(...arguments_);
      const ms = performance.now() - start;
      const time = times.get(nameOf(arguments_)) ?? { count: 0, ms: 0 };
      times.set(nameOf(arguments_), { count: time.count + 1, ms: time.ms + ms });
      return result;
    };
  // The binding's own properties can't be written.
  const watched = Object.create(binding, {
    executeOp: { value: timed(binding.executeOp, ([op]) => op as string) },
    ...Object.fromEntries(
      Object.entries(OTHER).map(([key, name]) => [key, { value: timed(binding[key], () => name) }]),
    ),
  });
  backend.binding = watched;
  const start = performance.now();
  try {
    work();
  } finally {
    backend.binding = binding;
  }
  return { ms: performance.now() - start, times };
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** Percent below which ops share the last row of the table. */
const MINOR = 0.1;

/** The profile as a table for people, in Markdown. */
export function profileTable({ ms, ops, outside, shares }: OpProfile): string {
  const row = (...cells: (string | number)[]) => `| ${cells.join(' | ')} |`;
  const line = (op: string, count: number | string, time: number) =>
    row(op, count, time.toFixed(1), ((100 * time) / ms).toFixed(1));
  const major = shares.filter(({ share }) => share >= MINOR);
  const minor = shares.slice(major.length);
  return [
    row('op', 'calls', 'ms', '%'),
    row('---', '---:', '---:', '---:'),
    ...major.map(({ op, count, ms }) => line(op, count, ms)),
    line(`${minor.length} others`, sum(minor.map(({ count }) => count)), sum(minor.map(({ ms }) => ms))),
    line('JavaScript', '', outside.ms),
    line('all', ops, ms),
  ].join('\n');
}
