import { setPriority } from 'node:os';
import { UserError } from '../../base/errors.js';
import { HttpProblem } from '../http/http_problem.js';
import { Engine, Late } from './engine.js';
import { clock, type FromEngine, type ToEngine } from './messages.js';

/** Refusing in time goes before working on others; more than one step would give way to other programs as well. */
const NICENESS = 1;

/** Milliseconds the model is given to be freed when the service has gone. */
const END_MS = 5000;

// The process of one model: answers the messages of the service that started it, and ends with it.

// Threads inherit it: before any is started.
setPriority(NICENESS);
// Ctrl-C reaches the whole group; the service ends its models itself, after their last answer.
process.on('SIGINT', () => {}).on('SIGTERM', () => {});

let engine: Engine | undefined;
const waiting = new Map<number, AbortController>();

process.on('message', (message: ToEngine) => {
  if (message.type === 'open') void open(message);
  else if (message.type === 'detect') void detect(message);
  else waiting.get(message.id)?.abort();
});
process.on('disconnect', async () => {
  setTimeout(() => process.exit(), END_MS);
  await engine?.close();
  process.exit();
});

function tell(message: FromEngine): void {
  if (process.connected) process.send?.(message);
}

async function open({ bundle, options }: ToEngine & { type: 'open' }): Promise<void> {
  try {
    engine = await Engine.open(bundle, options, (size, queued) => tell({ type: 'batch', size, queued }));
    tell({ type: 'ready', info: engine.info, ...engine.times });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    tell({ type: 'unusable', problem: error.problem });
  }
}

async function detect({ id, request, deadline }: ToEngine & { type: 'detect' }): Promise<void> {
  const ending = new AbortController();
  waiting.set(id, ending);
  try {
    const found = await (engine as Engine).detect(request, deadline - clock(), ending);
    tell({ type: 'found', id, found });
  } catch (error) {
    tell(failure(id, error));
  } finally {
    waiting.delete(id);
  }
}

function failure(id: number, error: unknown): FromEngine {
  if (error instanceof Late) return { type: 'late', id };
  if (error instanceof HttpProblem) return { type: 'refused', id, status: error.status, reason: error.reason };
  return { type: 'failed', id, message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
