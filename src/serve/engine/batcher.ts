import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Detection } from '../../data/detections.js';
import { HttpProblem } from '../http/http_problem.js';
import { BatchTimes } from './batch_times.js';
import type { BatchDetections, DetectorTask, BatchTimes as StageTimes } from './detector.js';

/** Share of a new measurement in the moving estimate of the pace. */
const NEWEST = 0.2;

export interface BatcherOptions {
  maxBatch: number;
  /** Most requests admitted and not answered yet. */
  queue: number;
  /** Milliseconds from admission to the run of the model. */
  deadline: number;
  /** Told of every batch that was answered. */
  onBatch?: (size: number) => void;
}

/** What a picture's request took, milliseconds of each stage; all but `queue` are those of its whole batch. */
export type DetectionTimes = StageTimes & { queue: number };

export interface Detected {
  detections: Detection[];
  times: DetectionTimes;
}

/** A request's place, held from before its picture is decoded until `leave`. */
export interface Place {
  detect(task: DetectorTask): Promise<Detected>;
  leave(): void;
}

interface Waiting {
  task: DetectorTask;
  since: number;
  deadline: number;
  /** Was in a batch that failed: runs by itself, so that it cannot harm others again. */
  alone: boolean;
  resolve: (detected: Detected) => void;
  reject: (reason: unknown) => void;
}

/**
 * Runs pictures in batches: whatever has come while a batch ran is in the next, up to the size that measured times show
 * to be best. Never waits for more pictures while the model is idle.
 */
export class Batcher {
  readonly #run: (tasks: DetectorTask[]) => Promise<BatchDetections>;
  readonly #options: BatcherOptions;
  readonly #times: BatchTimes;
  readonly #waiting: Waiting[] = [];
  #admitted = 0;
  #running = false;
  /** Milliseconds between two pictures done while the service is busy, decoding included. */
  #pace = 0;
  #lastDone?: number;
  #whenIdle?: () => void;

  constructor(run: (tasks: DetectorTask[]) => Promise<BatchDetections>, options: BatcherOptions) {
    this.#run = run;
    this.#options = options;
    this.#times = new BatchTimes(options.maxBatch);
  }

  /** Requests with a place, whether their picture is being decoded, waits or runs. */
  get admitted(): number {
    return this.#admitted;
  }

  /** Pictures that wait for the model. */
  get queued(): number {
    return this.#waiting.length;
  }

  /** Expected milliseconds until everything admitted is answered. */
  get #wait(): number {
    return this.#admitted * this.#pace;
  }

  /**
   * Takes a request in, or refuses it at once, before any work was done for it.
   * @throws HttpProblem 503 when the queue is full, or the deadline could not be kept
   */
  admit(signal: AbortSignal): Place {
    const { queue, deadline } = this.#options;
    // An idle service always takes a request: its pace may have been that of a bad moment.
    if (this.#admitted >= queue || this.#wait > deadline) {
      throw busy('overloaded', 'More requests came than can be answered in time.', this.#wait);
    }
    this.#admitted++;
    const until = performance.now() + deadline;
    return {
      detect: (task) => this.#detect(task, until, signal),
      leave: () => {
        this.#admitted--;
        if (this.#admitted > 0) return;
        this.#lastDone = undefined;
        this.#whenIdle?.();
      },
    };
  }

  /** Resolves when every place has been left, also those of clients that have gone. */
  async idle(): Promise<void> {
    if (this.#admitted === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenIdle = resolve;
    });
  }

  /** Measures batches of growing size, as many as `budget` ms allow, so that the first requests find a warm model. */
  async warmUp(task: DetectorTask, budget: number): Promise<void> {
    const end = performance.now() + budget;
    for (const size of this.#times.sizes) {
      for (let run = 0; run < 2; run++) {
        if (size > 1 && performance.now() + this.#times.expected(size) > end) return;
        await this.#measured(Array.from({ length: size }, () => task));
      }
    }
  }

  #detect(task: DetectorTask, deadline: number, signal: AbortSignal): Promise<Detected> {
    return new Promise<Detected>((resolve, reject) => {
      const waiting: Waiting = { task, since: performance.now(), deadline, alone: false, resolve, reject };
      const giveUp = (problem: HttpProblem) => {
        const at = this.#waiting.indexOf(waiting);
        if (at < 0) return;
        this.#waiting.splice(at, 1);
        waiting.reject(problem);
      };
      const late = () => giveUp(busy('deadline_passed', 'The request waited until its deadline.', this.#wait));
      const timer = setTimeout(late, deadline - waiting.since);
      const gone = () => giveUp(clientGone());
      signal.addEventListener('abort', gone);
      const settle = (then: () => void) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', gone);
        then();
      };
      waiting.resolve = (detected) => settle(() => resolve(detected));
      waiting.reject = (reason) => settle(() => reject(reason));
      this.#waiting.push(waiting);
      if (signal.aborted) gone();
      void this.#work();
    });
  }

  async #work(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    for (let batch = this.#next(); batch.length > 0; batch = this.#next()) await this.#runBatch(batch);
    this.#running = false;
  }

  /** The next batch, off the queue; empty when none waits. */
  #next(): Waiting[] {
    if (this.#waiting.length === 0) return [];
    const [{ alone, deadline }] = this.#waiting;
    const size = alone ? 1 : this.#times.best(this.#waiting.length, deadline - performance.now());
    return this.#waiting.splice(0, size);
  }

  async #runBatch(batch: Waiting[]): Promise<void> {
    const start = performance.now();
    try {
      const { detections, times } = await this.#measured(batch.map(({ task }) => task));
      this.#keepPace(batch.length);
      this.#options.onBatch?.(batch.length);
      batch.forEach(({ since, resolve }, i) => {
        resolve({ detections: detections[i], times: { queue: start - since, ...times } });
      });
    } catch (error) {
      for (const waiting of batch.filter(({ alone }) => alone)) waiting.reject(error);
      // Nothing was answered yet, and looking at a picture twice harms nobody.
      const again = batch.filter(({ alone }) => !alone);
      for (const waiting of again) waiting.alone = true;
      this.#waiting.unshift(...again);
    }
  }

  async #measured(tasks: DetectorTask[]): Promise<BatchDetections> {
    const start = performance.now();
    const detected = await this.#run(tasks);
    this.#times.record(tasks.length, performance.now() - start);
    return detected;
  }

  #keepPace(pictures: number): void {
    const now = performance.now();
    if (this.#lastDone !== undefined) {
      const pace = (now - this.#lastDone) / pictures;
      this.#pace = this.#pace === 0 ? pace : this.#pace + NEWEST * (pace - this.#pace);
    }
    this.#lastDone = now;
  }
}

function busy(code: string, message: string, wait: number): HttpProblem {
  const retryAfter = Math.max(1, Math.ceil(wait / 1000));
  return new HttpProblem(503, { code, message, hint: `Ask again in ${retryAfter} s.` }, { retryAfter });
}

/** Nobody reads it; the status, nginx's, is for the metrics. */
function clientGone(): HttpProblem {
  return new HttpProblem(499 as ContentfulStatusCode, { code: 'client_gone', message: 'The client has gone.' });
}
