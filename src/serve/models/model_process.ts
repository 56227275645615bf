import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
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

/** Milliseconds a detector may take over a batch before its process is ended, when nobody says. */
const PATIENCE_MS = 30_000;

/** Milliseconds given to measuring batches before the model is ready; the rest is learnt on the way. */
const WARM_UP_MS = 400;

export interface ModelProcessOptions extends EngineOptions, Omit<AdmissionOptions, 'least'> {
  /** Milliseconds a detector may take over a batch before its process is ended. */
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

  private constructor(bundle: Bundle, options: ModelProcessOptions) {
    this.bundle = bundle;
    this.#options = options;
    this.#admission = new Admission({ ...options, least: 2 * options.sessions });
    this.#dispatcher = new Dispatcher({
      admission: this.#admission,
      patience: options.patience ?? PATIENCE_MS,
      kill: () => this.#process.kill(),
      onBatch: options.onBatch,
    });
    this.#process = new EngineProcess(options.sessions);
  }

  /**
   * Starts the process; resolves when its model is warm.
   * @throws UserError for a file onnxruntime cannot load, or of another input size
   */
  static async start(bundle: Bundle, options: ModelProcessOptions): Promise<ModelProcess> {
    const model = new ModelProcess(bundle, options);
    try {
      await model.#open();
      await model.#warmUp();
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

  /** Pictures that wait for the model. */
  get queued(): number {
    return this.#dispatcher.queued;
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

  async #open(): Promise<void> {
    const { threads, maxBatch, provider, maxPixels, maxSide, decodeTimeout } = this.#options;
    const options = { threads, maxBatch, provider, maxPixels, maxSide, decodeTimeout };
    this.#info = await this.#process.open(this.bundle, options);
    this.#down = false;
    this.#dispatcher.connect(this.#process.lanes, this.#info.maxBatch);
  }

  async #warmUp(): Promise<void> {
    const bytes = await readFile(join(this.bundle.dir, this.bundle.test.image));
    const { alone, pace } = await this.#dispatcher.warmUp({ bytes }, WARM_UP_MS);
    this.#admission.expect(alone, pace);
  }

  async #keepAlive(): Promise<void> {
    let pause = 0;
    while (true) {
      const start = performance.now();
      await this.#process.ended;
      if (this.#closing) return;
      this.#options.onTrouble?.(`The process died of ${this.#process.death}; another is started.`);
      const healthy = pause === 0 || performance.now() - start > HEALTHY_MS;
      pause = healthy ? BACK_OFF_MS.first : Math.min(2 * pause, BACK_OFF_MS.last);
      await sleep(pause);
      if (this.#closing) return;
      this.#process = new EngineProcess(this.#options.sessions);
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
