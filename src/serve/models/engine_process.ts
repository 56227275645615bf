import { type ChildProcess, fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UserError } from '../../base/errors.js';
import type { Bundle } from '../bundle.js';
import type { EngineOptions } from '../engine/engine.js';
import type { FromEngine, ToEngine } from '../engine/messages.js';

/** Milliseconds a process is given to free its model and end. */
const END_MS = 5000;

/** Settings of glibc's malloc; other C libraries do not know them. */
const MALLOC = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: '1000000',
  MALLOC_TRIM_THRESHOLD_: '1000000',
};

/** V8 collects garbage in the thread that made it: its helpers would take the cores from onnxruntime, and their caches. */
const V8 = '--single-threaded-gc';

/** What a process says of requests. */
export type EngineNews = Exclude<FromEngine, { type: 'ready' | 'unusable' }>;

/** What a process says when its model is warm. */
type Ready = Extract<FromEngine, { type: 'ready' }>;

/** One life of the process of a model. */
export class EngineProcess {
  readonly #child: ChildProcess;
  /** Resolves when the process has ended, of whatever. */
  readonly ended: Promise<void>;

  constructor(onNews: (news: EngineNews) => void) {
    const entry = fileURLToPath(new URL(`../engine/main${extname(import.meta.url)}`, import.meta.url));
    this.#child = fork(entry, {
      serialization: 'advanced',
      stdio: ['ignore', 2, 2, 'ipc'],
      env: environment(),
      execArgv: [...process.execArgv, V8],
    });
    this.ended = new Promise((resolve) => {
      this.#child.on('exit', () => resolve());
      // Without a process number it never began; otherwise a message was for one that has just died.
      this.#child.on('error', () => this.#child.pid ?? resolve());
    });
    this.#child.on('message', (message: FromEngine) => {
      if (message.type !== 'ready' && message.type !== 'unusable') onNews(message);
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** What it ended of: a signal or an exit code. */
  get death(): string {
    const { exitCode, signalCode } = this.#child;
    return signalCode ?? `exit code ${exitCode}`;
  }

  /**
   * Loads a bundle; resolves when the model is warm.
   * @throws UserError when it cannot be served, Error when the process died of it
   */
  async open(bundle: Bundle, options: EngineOptions): Promise<Ready> {
    const opened = new Promise<Ready>((resolve, reject) => {
      this.#child.on('message', (message: FromEngine) => {
        if (message.type === 'ready') resolve(message);
        if (message.type === 'unusable') reject(new UserError(message.problem));
      });
    });
    this.tell({ type: 'open', bundle, options });
    const died = this.ended.then(() => {
      throw new Error(`The process of ${bundle.name}@${bundle.version} ended: ${this.death}.`);
    });
    return Promise.race([opened, died]);
  }

  tell(message: ToEngine): void {
    if (this.#child.connected) this.#child.send(message);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Frees the model and ends the process. */
  async close(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    const limit = setTimeout(() => this.kill(), END_MS);
    await this.ended;
    clearTimeout(limit);
  }
}

/**
 * What the process gets to see: decoders of strangers' pictures need no secrets. With few heaps of malloc, and pictures
 * that go back to the system when they are freed, its memory under load stays about 40 MB lower.
 */
function environment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(YOLOX|OTEL)_/.test(name));
  return { ...Object.fromEntries(own), ...MALLOC };
}
