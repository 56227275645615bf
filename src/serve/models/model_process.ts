import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../base/errors.js';
import type { Bundle } from '../bundle.js';
import type { EngineInfo, EngineOptions } from '../engine/engine.js';
import { Admission, type AdmissionOptions } from './admission.js';
import { Dispatcher } from './dispatcher.js';
import { EngineProcess } from './engine_process.js';
import type { Model, Place } from './model.js';

/** Milliseconds between a death and the next start: the first, doubled with every death in a row up to the last. */
const BACK_OFF_MS = { first: 50, last: 5000 };

/** Milliseconds a process must have lived for its death to be the first in a row. */
const HEALTHY_MS = 60_000;

/** Milliseconds without a sign of life from a process that owes an answer, after which it is ended, when nobody says. */
const PATIENCE_MS = 30_000;

export interface ModelProcessOptions extends EngineOptions, Omit<AdmissionOptions, 'least'> {
  /** Milliseconds after which a process that owes an answer and shows no sign of life is ended. */
  patience?: number;
  /** Told of every run of the model. */
  onBatch?: (size: number) => void;
  /** Told of every process that died and was replaced. */
  onRestart?: () => void;
  /** Told in words what went wrong with the process. */
  onTrouble?: (message: string) => void;
}

/**
 * A bundle in a process of its own, where pictures are decoded and run: memory goes back when it ends, and a picture
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
  /** Whether a new process could not be brought up; it is tried again and again. */
  #down = false;
  #queued = 0;

  private constructor(bundle: Bundle, options: ModelProcessOptions) {
    this.bundle = bundle;
    this.#options = options;
    this.#admission = new Admission({ ...options, least: 2 * options.sessions });
    this.#dispatcher = new Dispatcher(this.#admission, options.patience ?? PATIENCE_MS);
    this.#process = this.#spawn();
  }

  /**
   * Starts the process; resolves when its model is warm.
   * @throws UserError for a file onnxruntime cannot load, or of another input size
   */
  static async start(bundle: Bundle, options: ModelProcessOptions): Promise<ModelProcess> {
    const model = new ModelProcess(bundle, options);
    try {
      await model.#open();
    } catch (error) {
      await model.#process.close();
      throw error;
    }
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

  /** Pictures that wait for the model, as it said last. */
  get queued(): number {
    return Math.min(this.#queued, this.admitted);
  }

  /** Whether requests can hope for an answer. */
  get healthy(): boolean {
    return !this.#down;
  }

  check(): void {
    if (this.#down) throw this.#admission.refusal('model_down', 'The model does not start again after a failure.');
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

  #spawn(): EngineProcess {
    return new EngineProcess((news) => {
      if (news.type !== 'batch') this.#dispatcher.settle(news);
      else {
        this.#dispatcher.signOfLife();
        this.#queued = news.queued;
        this.#options.onBatch?.(news.size);
      }
    });
  }

  async #open(): Promise<void> {
    const { threads, sessions, maxBatch, provider, maxPixels, maxSide } = this.#options;
    const options = { threads, sessions, maxBatch, provider, maxPixels, maxSide };
    const { info, alone, pace } = await this.#process.open(this.bundle, options);
    // What was learnt of requests is better than what a new process measured alone.
    if (this.#info === undefined) this.#admission.expect(alone, pace);
    this.#info = info;
    this.#down = false;
    this.#dispatcher.connect(this.#process);
  }

  async #keepAlive(): Promise<void> {
    let pause = 0;
    while (true) {
      const start = performance.now();
      await this.#process.ended;
      if (this.#closing) return;
      this.#dispatcher.disconnect();
      this.#options.onTrouble?.(`The process died of ${this.#process.death}; another is started.`);
      const healthy = pause === 0 || performance.now() - start > HEALTHY_MS;
      pause = healthy ? BACK_OFF_MS.first : Math.min(2 * pause, BACK_OFF_MS.last);
      await sleep(pause);
      if (this.#closing) return;
      this.#process = this.#spawn();
      try {
        await this.#open();
        this.#options.onRestart?.();
      } catch (error) {
        this.#options.onTrouble?.(messageOf(error));
        this.#down = true;
        this.#process.kill();
      }
    }
  }
}
