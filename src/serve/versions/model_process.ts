import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, UserError } from '../../base/errors.js';
import { type Bundle, readBundled } from '../../detect/bundle.js';
import { Admission, type AdmissionOptions, type Ticket } from '../batching/admission.js';
import { DynamicBatcher } from '../batching/dynamic_batcher.js';
import type { DetectAnswer, DetectRequest } from '../detect_request.js';
import type { WorkerInfo } from '../worker/worker.js';
import type { WorkerOptions } from '../worker/worker_options.js';
import { WorkerProcess } from '../worker/worker_process.js';
import type { Model } from './model.js';

/** Milliseconds between a death and the next start: the first, doubled with every death in a row up to the last. */
const BACK_OFF_MS = { first: 50, last: 5000 };

/** Milliseconds a process must have lived for its death to be the first in a row. */
const HEALTHY_MS = 60_000;

/**
 * Shortest batch timeout in milliseconds, besides the time to decode a long image and draw on it: a busy machine is slow.
 * Otherwise it is the deadline, after which no request waits for the batch.
 */
const LEAST_BATCH_TIMEOUT_MS = 4000;

/** Milliseconds in which a process answers when it is asked whether it does. */
const PROBE_MS = 800;

const LATE_HINT =
  'Its process stands still, or the machine is slow: look at its load, or raise serve.startTimeout; TensorRT takes minutes.';

/** Milliseconds given to measuring batches before the model is ready; the rest is learnt on the way. */
const WARM_UP_MS = 400;

export interface ModelProcessOptions extends WorkerOptions, Omit<AdmissionOptions, 'least'> {
  /** Milliseconds a process may take from its start until its model is ready. */
  startTimeout: number;
  /** Milliseconds an instance may take over a batch before the worker is ended; follows from the deadline when absent. */
  batchTimeout?: number;
  /** Called with the size of every batch. */
  onBatch?: (size: number) => void;
  /** Called when a worker has died and was replaced. */
  onRestart?: () => void;
  /** Called with what went wrong with the worker, in words. */
  onTrouble?: (message: string) => void;
}

/**
 * A bundle in a worker process of its own, which decodes images and runs the model: its memory goes back when it ends, and an
 * image that kills it harms no other. A worker that dies is replaced, and its requests are sent again.
 */
export class ModelProcess implements Model {
  readonly bundle: Bundle;
  readonly #options: ModelProcessOptions;
  readonly #admission: Admission;
  readonly #batcher: DynamicBatcher;
  #worker: WorkerProcess;
  #info?: WorkerInfo;
  #closing = false;
  /** Whether a process is at work: not while another is started. */
  #up = false;
  /** Why a new process could not be brought up; it is tried again and again. */
  #problem?: string;
  /** Why the process was ended by us. */
  #killedFor?: string;

  private constructor(bundle: Bundle, options: ModelProcessOptions) {
    this.bundle = bundle;
    this.#options = options;
    this.#admission = new Admission({ ...options, least: 2 * options.instances });
    const { deadline, decodeTimeout } = options;
    const batchTimeout = options.batchTimeout ?? Math.max(deadline, 2 * decodeTimeout + LEAST_BATCH_TIMEOUT_MS);
    this.#batcher = new DynamicBatcher({
      admission: this.#admission,
      batchTimeout,
      kill: () => this.#kill(`it did not answer within ${batchTimeout} ms`),
      onBatch: options.onBatch,
    });
    this.#worker = new WorkerProcess(options.instances);
  }

  /**
   * Starts the process; resolves when its model is warm.
   * @throws UserError for a file onnxruntime cannot load, is not what was packed, or is of another input size, and when
   *   it is not ready in time
   */
  static async start(bundle: Bundle, options: ModelProcessOptions): Promise<ModelProcess> {
    const model = new ModelProcess(bundle, options);
    await model.#inTime(async () => {
      await model.#open();
      await model.#warmUp();
    });
    void model.#keepAlive();
    return model;
  }

  /** How its worker loaded the model. */
  get info(): WorkerInfo {
    return this.#info as WorkerInfo;
  }

  /** Process id of the worker, the last one while another is started. */
  get pid(): number | undefined {
    return this.#worker.pid;
  }

  /** Requests admitted and not answered yet. */
  get admitted(): number {
    return this.#admission.admitted;
  }

  /** Images waiting for the model. */
  get queued(): number {
    return this.#batcher.queued;
  }

  /** Why requests get no answer; undefined when they do. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Whether it answers: it did a moment ago, or does when it is asked. */
  async answers(): Promise<boolean> {
    return this.#up && this.#batcher.answers(PROBE_MS);
  }

  check(): void {
    if (this.#problem !== undefined)
      throw this.#admission.refusal('model_down', 'The model does not start again after a failure.');
    this.#admission.check();
  }

  admit(): Ticket {
    this.check();
    return this.#admission.enter();
  }

  detect(request: DetectRequest, ticket: Ticket, signal: AbortSignal): Promise<DetectAnswer> {
    return this.#batcher.detect(request, ticket, signal);
  }

  /** Resolves when every ticket has been given back. */
  idle(): Promise<void> {
    return this.#admission.idle();
  }

  /** Ends the worker when its last ticket has been given back. */
  async close(): Promise<void> {
    await this.idle();
    this.#closing = true;
    await this.#worker.close();
  }

  async #open(): Promise<void> {
    const { instances, threads, maxBatch, provider, maxPixels, maxSide, decodeTimeout } = this.#options;
    // Nothing else of the options crosses to the process.
    const options = { instances, threads, maxBatch, provider, maxPixels, maxSide, decodeTimeout };
    this.#info = await this.#worker.open(this.bundle, options);
    this.#problem = undefined;
    this.#up = true;
    this.#batcher.connect(this.#worker, this.#info.maxBatch);
  }

  async #warmUp(): Promise<void> {
    const bytes = await readBundled(this.bundle, this.bundle.test.image);
    const { alone, pace } = await this.#batcher.warmUp({ bytes }, WARM_UP_MS);
    this.#admission.expect(alone, pace);
  }

  /** Brings the process up within the time for it, or ends it. */
  async #inTime(bringUp: () => Promise<void>): Promise<void> {
    const { startTimeout } = this.#options;
    const where = 'serve.startTimeout';
    let late: UserError | undefined;
    const limit = setTimeout(() => {
      late = new UserError({ where, expected: `a model that is ready within ${startTimeout} ms`, hint: LATE_HINT });
      this.#worker.kill();
    }, startTimeout);
    try {
      await bringUp();
    } catch (error) {
      this.#worker.kill();
      await this.#worker.ended;
      throw late ?? error;
    } finally {
      clearTimeout(limit);
    }
  }

  #kill(reason: string): void {
    this.#killedFor = reason;
    this.#worker.kill();
  }

  /** Replaces the process whenever it has ended; one that does not come up is tried again, ever more slowly. */
  async #keepAlive(): Promise<void> {
    let pause = 0;
    while (true) {
      const start = performance.now();
      await this.#worker.ended;
      this.#up = false;
      if (this.#closing) return;
      if (this.#problem === undefined) {
        const why = this.#killedFor ?? `it died of ${this.#worker.death}`;
        this.#options.onTrouble?.(`The process has ended: ${why}. Another is started.`);
      }
      this.#killedFor = undefined;
      const healthy = pause === 0 || performance.now() - start > HEALTHY_MS;
      pause = healthy ? BACK_OFF_MS.first : Math.min(2 * pause, BACK_OFF_MS.last);
      await sleep(pause);
      if (this.#closing) return;
      this.#worker = new WorkerProcess(this.#options.instances);
      try {
        await this.#inTime(() => this.#open());
        this.#options.onRestart?.();
      } catch (error) {
        if (this.#closing) return;
        this.#problem = messageOf(error);
        this.#options.onTrouble?.(`It does not start: ${this.#problem}`);
      }
    }
  }
}
