import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { log } from '../../src/base/progress.js';

export interface TorchPeer {
  name: string;
  /** One training step, timed by the caller. */
  step(): Promise<void>;
  stop(): void;
}

/** Python with PyTorch, see the head of yolox_torch.py. */
const PYTHON = process.env.YOLOX_BENCH_PYTHON ?? 'python3';

type StepOptions = {
  variant: string;
  size: number;
  batch: number;
  threads: number;
};

/** PyTorch's training step in a process of its own. */
export const startTorchPeer = (options: StepOptions) =>
  startPythonPeer('yolox_torch.py', ['bench', '--on-demand', ...flags(options)]);

/** The most memory a process of PyTorch has held after `steps` training steps. */
export async function torchPeakMegabytes(
  options: StepOptions & { steps: number },
): Promise<{ name: string; megabytes: number } | undefined> {
  const args = [join(import.meta.dirname, 'yolox_torch.py'), 'bench', '--warmup', '0', '--json', ...flags(options)];
  try {
    const { stdout } = await promisify(execFile)(PYTHON, args);
    return { name: 'PyTorch channels_last', megabytes: JSON.parse(stdout).peak_rss_mb };
  } catch {
    sayAbsent();
    return undefined;
  }
}

/** `{ size: 640 }` → `--size 640` */
export const flags = (options: Record<string, string | number>): string[] =>
  Object.entries(options).flatMap(([flag, value]) => [`--${flag}`, String(value)]);

/**
 * A script of this folder in a process of its own, which says its name and then does a step for every line it is sent;
 * undefined where there is no PyTorch.
 */
export async function startPythonPeer(script: string, args: readonly string[]): Promise<TorchPeer | undefined> {
  const child = spawn(PYTHON, [join(import.meta.dirname, script), ...args], { stdio: ['pipe', 'pipe', 'ignore'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const started = await Promise.race([
    lines.next(),
    once(child, 'error').then(() => ({ done: true as const, value: undefined })),
  ]);
  if (started.done) {
    sayAbsent();
    return undefined;
  }
  return {
    name: started.value,
    async step() {
      child.stdin.write('\n');
      await lines.next();
    },
    // At the end of its input it ends, and with it the processes it has started.
    stop: () => child.stdin.end(),
  };
}

function sayAbsent(): void {
  log(`The peer does not start with ${PYTHON}: set YOLOX_BENCH_PYTHON to a Python that has it; see bench/README.md`);
}
