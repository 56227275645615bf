import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { log } from '../../src/base/progress.js';

export interface TorchPeer {
  name: string;
  /** One training step, timed by the caller. */
  step(): Promise<void>;
  stop(): void;
}

/** Python with PyTorch, see the head of yolox_torch.py. */
const PYTHON = process.env.YOLOX_BENCH_PYTHON ?? 'python3';

/** PyTorch's training step in a process of its own, a step for every line it is sent; undefined where there is none. */
export async function startTorchPeer(options: {
  variant: string;
  size: number;
  batch: number;
  threads: number;
}): Promise<TorchPeer | undefined> {
  const flags = Object.entries(options).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
  const child = spawn(PYTHON, [join(import.meta.dirname, 'yolox_torch.py'), 'bench', '--on-demand', ...flags], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const started = await Promise.race([
    lines.next(),
    once(child, 'error').then(() => ({ done: true as const, value: undefined })),
  ]);
  if (started.done) {
    log(
      `PyTorch is absent (${PYTHON}): set YOLOX_BENCH_PYTHON to a Python that has it; see bench/peers/yolox_torch.py`,
    );
    return undefined;
  }
  return {
    name: started.value,
    async step() {
      child.stdin.write('\n');
      await lines.next();
    },
    stop: () => child.kill(),
  };
}
