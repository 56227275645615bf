import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { beforeExit } from '../../base/ending.js';
import { UserError } from '../../base/errors.js';
import type { Bundle } from '../../detect/bundle.js';
import type { OpenedMessage, OpenMessage } from './main.js';
import type { WorkerInfo } from './worker.js';
import { StreamChannel } from './worker_channel.js';
import type { WorkerOptions } from './worker_options.js';

/** Milliseconds a process is given to free its model and end. */
const END_MS = 5000;

/**
 * Settings of glibc's malloc; other C libraries do not know them. What is freed is kept, up to 256 MB: images come one
 * after the other, and pages given back to the system would be faulted in anew for each, a third of the time of decoding.
 */
const MALLOC = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: '33554432',
  MALLOC_TRIM_THRESHOLD_: '268435456',
};

const DEATH_HINT =
  "It may have said above why. Without a word, SIGKILL is mostly the system's answer to memory that runs out.";

/**
 * V8 collects garbage in the thread that made it: its helpers would take the cores from onnxruntime, and their caches. The
 * threads collect after each batch.
 */
const V8 = ['--single-threaded-gc', '--expose-gc'];

/** Number of the first stream in the process: 0 to 2 are the standard ones, 3 is that of Node's messages. */
const FIRST_STREAM = 4;

/** One life of the process of a model. */
export class WorkerProcess {
  /** To its instances. */
  readonly channels: readonly StreamChannel[];
  /** To the instance for images that take long. */
  readonly long: StreamChannel;
  /** Resolves when the process has ended, of whatever. */
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;

  /** @param instances besides the one for long images */
  constructor(instances: number) {
    const entry = fileURLToPath(new URL(`./main${extname(import.meta.url)}`, import.meta.url));
    this.#child = fork(entry, {
      stdio: ['ignore', 2, 2, 'ipc', ...Array<'pipe'>(instances + 1).fill('pipe')],
      env: environment(),
      execArgv: [...process.execArgv, ...V8],
    });
    const channels = this.#child.stdio.slice(FIRST_STREAM).map((stream) => new StreamChannel(stream as Duplex));
    this.channels = channels.slice(0, instances);
    this.long = channels[instances];
    // Otherwise it ends with its streams, but not while it stands still.
    const forget = beforeExit(() => this.kill());
    this.ended = new Promise<void>((resolve) => {
      this.#child.on('exit', () => resolve());
      // Without a process number it never began; otherwise a message was for one that has just died.
      this.#child.on('error', () => this.#child.pid ?? resolve());
    });
    void this.ended.then(forget);
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
   * Loads a bundle; resolves when its detectors can be asked.
   * @throws UserError when it cannot be served, or the process died of it
   */
  async open(bundle: Bundle, options: WorkerOptions): Promise<WorkerInfo> {
    const streams = [...this.channels, this.long].map((_, i) => FIRST_STREAM + i);
    const opened = once(this.#child, 'message').then(([message]: OpenedMessage[]) => {
      if ('problem' in message) throw new UserError(message.problem);
      return message.info;
    });
    const died = this.ended.then(() => {
      const expected = 'a process that loads the model';
      throw new UserError({ where: bundle.dir, expected, received: this.death, hint: DEATH_HINT });
    });
    if (this.#child.connected) this.#child.send({ bundle, options, streams } satisfies OpenMessage);
    return Promise.race([opened, died]);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Frees the model and ends the process. */
  async close(): Promise<void> {
    for (const channel of [...this.channels, this.long]) channel.end();
    const limit = setTimeout(() => this.kill(), END_MS);
    await this.ended;
    clearTimeout(limit);
  }
}

/** What the process gets to see: decoders of strangers' images need no secrets. */
function environment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(YOLOX|OTEL)_/.test(name));
  return { ...Object.fromEntries(own), ...MALLOC };
}
