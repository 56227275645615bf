import { constants, getPriority, setPriority } from 'node:os';
import { type Problem, UserError } from '../../base/errors.js';
import type { Bundle } from '../../detect/bundle.js';
import { Worker, type WorkerInfo } from './worker.js';
import type { WorkerOptions } from './worker_options.js';

/** What the process of a model is told once. */
export interface OpenMessage {
  bundle: Bundle;
  options: WorkerOptions;
  /** Numbers of the streams on which its detectors are asked. */
  streams: number[];
}

/** What it answers: that its detectors are there, or that the bundle cannot be served. */
export type OpenedMessage = { info: WorkerInfo } | { problem: Problem };

/**
 * Steps below the service: refusing in time goes before working on others. More than one would give way to other
 * programs as well.
 */
const NICER = 1;

// The process of one model: its detectors answer the service that started it on their streams, and end with them.

// Threads inherit it: before any is started.
giveWay();
// Ctrl-C reaches the whole group; the service ends its models itself, after their last answer.
process.on('SIGINT', () => {}).on('SIGTERM', () => {});
process.once('message', (message: OpenMessage) => void open(message));

async function open({ bundle, options, streams }: OpenMessage): Promise<void> {
  try {
    const worker = await Worker.open(bundle, options, streams);
    await tell({ info: worker.info });
    await worker.ended;
    if (process.connected) process.disconnect();
  } catch (error) {
    if (error instanceof UserError) await tell({ problem: error.problem });
    else console.error(error);
    // Leaving in order waits for the threads, and those for the ends of their streams.
    process.kill(process.pid, 'SIGKILL');
  }
}

/** Resolves when it is on its way, or the service has gone. */
async function tell(message: OpenedMessage): Promise<void> {
  if (!process.connected) return;
  await new Promise((resolve) => process.send?.(message, resolve));
}

function giveWay(): void {
  try {
    // From where the service was started: under `nice` or systemd's `Nice=` only root may go up.
    setPriority(Math.min(getPriority() + NICER, constants.priority.PRIORITY_LOW));
  } catch {
    // A sandbox may forbid it; then the model competes with the service.
  }
}
