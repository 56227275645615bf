import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, UserError } from '../../base/errors.js';
import { type Bundle, readBundled } from '../../detect/bundle.js';
import { Admission, type AdmissionOptions } from '../batching/admission.js';
import { Dispatcher } from '../batching/dynamic_batcher.js';
import type { EngineInfo, EngineOptions } from '../worker/engine.js';
import { EngineProcess } from '../worker/worker_process.js';
import type { Model, Place } from './model.js';

/** Milliseconds between a death and the next start: the first, doubled with every death in a row up to the last. */
const BACK_OFF_MS = { first: 50, last: 5000 };

/** Milliseconds a process must have lived for its death to be the first in a row. */
const HEALTHY_MS = 60_000;

/**
 * Milliseconds a detector may take over a batch before its process is ended: the deadline, after which nobody waits for
 * it, but no less than this on a busy machine, besides what decoding a long image and drawing into it may take.
 */
const LEAST_PATIENCE_MS = 4000;

/** Milliseconds in which a process answers when it is asked whether it does. */
const PROBE_MS = 800;

const LATE_HINT =
  'Its process stands still, or the machine is slow: look at its load, or raise serve.startTimeout; TensorRT takes minutes.';

/** Milliseconds given to measuring batches before the model is ready; the rest is learnt on the way. */
const WARM_UP_MS = 400;

export interface ModelProcessOptions extends EngineOptions, Omit<AdmissionOptions, 'least'> {
  /** Milliseconds a process may take from its start until its model is ready. */
  startTimeout: number;
  /** Milliseconds a detector may take over a batch before its process is ended; the deadline when absent. */
  patience?: number;
  /** Told of every run of the model. */
  onBatch?: (size: number) => void;
  /** Told of every process that died and was replaced. */
  onRestart?: () => void;
  /** Told in words what went wrong with the process. */
  onTrouble?: (message: string) => void;
}

/**
 * A bundle in a process of its own, where images are decoded and run: memory goes back when it ends, and an image
 * that kills it harms nobody else. A process that dies is replaced and its requests are sent again.
 */
export class ModelProcess implements Model {
  readonly bundle: Bundle;
  readonly #options: ModelProcessOptions;
  readonly #admission: Admission;
  readonly #dispatcher: Dispatcher;
  #process: EngineProcess;
  #info?: EngineInfo;
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
    const patience = options.patience ?? Math.max(deadline, 2 * decodeTimeout + LEAST_PATIENCE_MS);
    this.#dispatcher = new Dispatcher({
      admission: this.#admission,
      patience,
      kill: () => this.#kill(`it did not answer within ${patience} ms`),
      onBatch: options.onBatch,
    });
    this.#process = new EngineProcess(options.instances);
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

  /** What the engine came out as. */
  get info(): EngineInfo {
    return this.#info as EngineInfo;
  }

  /** Of the process that is or was last at work. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Requests with a place. */
  get admitted(): number {
    return this.#admission.admitted;
  }

  /** Images that wait for the model. */
  get queued(): number {
    return this.#dispatcher.queued;
  }

  /** Why requests cannot hope for an answer; undefined when they can. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Whether it answers: it did of late, or does when it is asked. */
  async answers(): Promise<boolean> {
    return this.#up && this.#dispatcher.answers(PROBE_MS);
  }

  check(): void {
    if (this.#problem !== undefined)
      throw this.#admission.refusal('model_down', 'The model does not start again after a failure.');
    this.#admission.check();
  }

  admit(signal: AbortSignal): Place {
    this.check();
    const seat = this.#admission.enter();
    return {
      detect: (request) => this.#dispatcher.detect(request, seat, signal),
      leave: () => seat.leave(),
    };
  }

  /** Resolves when every place has been left, also those of clients that have gone. */
  idle(): Promise<void> {
    return this.#admission.idle();
  }

  /** Ends the process when its last place has been left. */
  async close(): Promise<void> {
    await this.idle();
    this.#closing = true;
    await this.#process.close();
  }

  async #open(): Promise<void> {
    const { threads, maxBatch, provider, maxPixels, maxSide, decodeTimeout } = this.#options;
    const options = { threads, maxBatch, provider, maxPixels, maxSide, decodeTimeout };
    this.#info = await this.#process.open(this.bundle, options);
    this.#problem = undefined;
    this.#up = true;
    this.#dispatcher.connect(this.#process, this.#info.maxBatch);
  }

  async #warmUp(): Promise<void> {
    const bytes = await readBundled(this.bundle, this.bundle.test.image);
    const { alone, pace } = await this.#dispatcher.warmUp({ bytes }, WARM_UP_MS);
    this.#admission.expect(alone, pace);
  }

  /** Brings the process up within the time for it, or ends it. */
  async #inTime(bringUp: () => Promise<void>): Promise<void> {
    const { startTimeout } = this.#options;
    const where = 'serve.startTimeout';
    let late: UserError | undefined;
    const limit = setTimeout(() => {
      late = new UserError({ where, expected: `a model that is ready within ${startTimeout} ms`, hint: LATE_HINT });
      this.#process.kill();
    }, startTimeout);
    try {
      await bringUp();
    } catch (error) {
      this.#process.kill();
      await this.#process.ended;
      throw late ?? error;
    } finally {
      clearTimeout(limit);
    }
  }

  #kill(reason: string): void {
    this.#killedFor = reason;
    this.#process.kill();
  }

  /** Replaces the process whenever it has ended; one that does not come up is tried again, ever more slowly. */
  async #keepAlive(): Promise<void> {
    let pause = 0;
    while (true) {
      const start = performance.now();
      await this.#process.ended;
      this.#up = false;
      if (this.#closing) return;
      if (this.#problem === undefined) {
        const why = this.#killedFor ?? `it died of ${this.#process.death}`;
        this.#options.onTrouble?.(`The process has ended: ${why}. Another is started.`);
      }
      this.#killedFor = undefined;
      const healthy = pause === 0 || performance.now() - start > HEALTHY_MS;
      pause = healthy ? BACK_OFF_MS.first : Math.min(2 * pause, BACK_OFF_MS.last);
      await sleep(pause);
      if (this.#closing) return;
      this.#process = new EngineProcess(this.#options.instances);
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
