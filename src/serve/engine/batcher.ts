import { BatchTimes } from './batch_times.js';
import type { BatchOutcomes, Outcome, UploadTask, UploadTimes } from './upload_detector.js';

export interface BatcherOptions {
  maxBatch: number;
  /** Batches that may run at once. */
  sessions: number;
  /** Told of every batch that begins, and of how many pictures still wait. */
  onBatch?: (size: number, queued: number) => void;
}

/** What a picture's request took, milliseconds of each stage; all but `queue` are those of its whole batch. */
export type DetectionTimes = { queue: number } & UploadTimes;

export interface Detected {
  outcome: Outcome;
  times: DetectionTimes;
}

interface Waiting {
  task: UploadTask;
  since: number;
  /** On `performance.now`'s clock. */
  deadline: number;
  /** Was in a batch that failed: runs by itself, so that it cannot harm others again. */
  alone: boolean;
  resolve: (detected: Detected) => void;
  reject: (reason: unknown) => void;
}

/**
 * Runs pictures in batches: whatever has come while a batch ran is in the next, up to the size that measured times show
 * to be best. Never waits for more pictures while a session is idle.
 */
export class Batcher {
  readonly #run: (tasks: UploadTask[]) => Promise<BatchOutcomes>;
  readonly #options: BatcherOptions;
  readonly #times: BatchTimes;
  readonly #waiting: Waiting[] = [];
  #running = 0;

  constructor(run: (tasks: UploadTask[]) => Promise<BatchOutcomes>, options: BatcherOptions) {
    this.#run = run;
    this.#options = options;
    this.#times = new BatchTimes(options.maxBatch);
  }

  /** Pictures that wait for the model. */
  get queued(): number {
    return this.#waiting.length;
  }

  /** Milliseconds between two pictures when all sessions are busy; 0 when not known yet. */
  get pace(): number {
    return this.#times.pace / this.#options.sessions;
  }

  /** Milliseconds the model takes for one picture alone; 0 when not known yet. */
  get shortest(): number {
    return this.#times.expected(1);
  }

  /**
   * Runs the picture in one of the next batches.
   * @param deadline on `performance.now`'s clock: the batch is chosen to be done by then where possible
   * @throws the signal's reason when it is aborted before the model begins
   */
  detect(task: UploadTask, deadline: number, signal: AbortSignal): Promise<Detected> {
    return new Promise<Detected>((resolve, reject) => {
      signal.throwIfAborted();
      const leave = () => {
        const at = this.#waiting.indexOf(waiting);
        if (at < 0) return;
        this.#waiting.splice(at, 1);
        reject(signal.reason);
      };
      signal.addEventListener('abort', leave, { once: true });
      const waiting: Waiting = { task, since: performance.now(), deadline, alone: false, resolve, reject };
      this.#waiting.push(waiting);
      this.#work();
    });
  }

  /** Measures batches of growing size, as many as `budget` ms allow, so that the first requests find a warm model. */
  async warmUp(task: UploadTask, budget: number): Promise<void> {
    const end = performance.now() + budget;
    for (const size of this.#times.sizes) {
      for (let run = 0; run < 2; run++) {
        if (size > 1 && performance.now() + this.#times.expected(size) > end) return;
        const batch = () => this.#measured(Array.from({ length: size }, () => task));
        await Promise.all(Array.from({ length: this.#options.sessions }, batch));
      }
    }
  }

  #work(): void {
    while (this.#running < this.#options.sessions && this.#waiting.length > 0) {
      this.#running++;
      void this.#runBatch(this.#next()).then(() => {
        this.#running--;
        this.#work();
      });
    }
  }

  /** The next batch, off the queue. */
  #next(): Waiting[] {
    const [{ alone, deadline }] = this.#waiting;
    const idle = this.#options.sessions - this.#running + 1;
    const share = Math.ceil(this.#waiting.length / idle);
    const size = alone ? 1 : this.#times.best(share, deadline - performance.now());
    return this.#waiting.splice(0, size);
  }

  async #runBatch(batch: Waiting[]): Promise<void> {
    const start = performance.now();
    this.#options.onBatch?.(batch.length, this.#waiting.length);
    try {
      const { outcomes, times } = await this.#measured(batch.map(({ task }) => task));
      batch.forEach(({ since, resolve }, i) => {
        resolve({ outcome: outcomes[i], times: { queue: start - since, ...times } });
      });
    } catch (error) {
      for (const waiting of batch.filter(({ alone }) => alone)) waiting.reject(error);
      // Nothing was answered yet, and looking at a picture twice harms nobody.
      const again = batch.filter(({ alone }) => !alone);
      for (const waiting of again) waiting.alone = true;
      this.#waiting.unshift(...again);
    }
  }

  async #measured(tasks: UploadTask[]): Promise<BatchOutcomes> {
    const done = await this.#run(tasks);
    const { letterbox, inference, post } = done.times;
    const looked = done.outcomes.filter((outcome) => 'detections' in outcome).length;
    if (looked > 0) this.#times.record(looked, letterbox + inference + post);
    return done;
  }
}
