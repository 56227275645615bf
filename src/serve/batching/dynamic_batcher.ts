import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ApiError, clientGone } from '../api_error.js';
import type { DetectRequest, Found } from '../versions/model.js';
import type { SentTask } from '../worker/frames.js';
import type { BatchOutcomes } from '../worker/upload_detector.js';
import { type Lane, LaneClosed } from '../worker/worker_channel.js';
import type { Admission, Seat } from './admission.js';
import { BatchTimes } from './batch_cost_model.js';
import { isSuspect, type Job, killsItsProcess, settle } from './job.js';

/** Milliseconds for which an answer shows that detectors answer. */
const RECENT_MS = 1000;

/** Milliseconds after its deadline at which a request in hand is given up, whatever its process does. */
const GRACE_MS = 1000;

export interface DispatcherOptions {
  admission: Admission;
  /** Milliseconds a detector may take over a batch before its process is ended. */
  patience: number;
  /** Ends the process. */
  kill: () => void;
  /** Told of every batch that begins. */
  onBatch?: (size: number) => void;
}

/** The ways to the detectors of a process. */
export interface Lanes {
  lanes: readonly Lane[];
  /** To the one for images that take long. */
  long: Lane;
}

/**
 * The requests of a model on their way to its detectors and back. Whatever has come while a batch ran is in the next, up
 * to the size that measured times show to be best; nobody waits for more while a detector is idle. No request is lost
 * when the process dies, and none waits for ever.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  #waiting: Job[] = [];
  /** Batches in hand, and since when. */
  readonly #running = new Map<Job[], number>();
  /** Detectors with nothing to do. */
  #idle: Lane[] = [];
  /** The one for long images, when it has nothing to do. */
  #idleLong: Lane[] = [];
  /** Counts the processes. */
  #process = 0;
  /** When a detector of the process answered last. */
  #answered = Number.NEGATIVE_INFINITY;
  #asking?: Promise<boolean>;
  #times = new BatchTimes(1);

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** Images that wait for a detector. */
  get queued(): number {
    return this.#waiting.length;
  }

  /** @throws ApiError as `Place.detect`, Error when the model failed */
  async detect(request: DetectRequest, seat: Seat, signal: AbortSignal): Promise<Found> {
    if (signal.aborted) throw clientGone();
    // A request may be of many images.
    setMaxListeners(0, signal);
    let leave = () => {};
    let stopWatching = () => {};
    try {
      return await new Promise<Found>((resolve, reject) => {
        const since = performance.now();
        const job: Job = { request, seat, since, alone: false, long: false, over: false, resolve, reject };
        leave = () => this.#giveUp(job, clientGone());
        signal.addEventListener('abort', leave, { once: true });
        stopWatching = this.#watchDeadline(job);
        this.#waiting.push(job);
        this.#work();
      });
    } finally {
      stopWatching();
      signal.removeEventListener('abort', leave);
    }
  }

  /** A process is ready: its detectors get what waits, in batches of at most `maxBatch`. */
  connect({ lanes, long }: Lanes, maxBatch: number): void {
    if (this.#process++ === 0) this.#times = new BatchTimes(maxBatch);
    this.#idle = [...lanes];
    this.#idleLong = [long];
    this.#answered = Number.NEGATIVE_INFINITY;
    this.#work();
  }

  /**
   * Whether detectors answer: one did of late, an idle one does within `ms` when it is asked for nothing, or all are busy
   * with batches that are not overdue.
   */
  async answers(ms: number): Promise<boolean> {
    const now = performance.now();
    if (now - this.#answered < RECENT_MS) return true;
    if (this.#idle.length > 0) {
      this.#asking ??= this.#askIdle().finally(() => {
        this.#asking = undefined;
      });
    }
    if (this.#asking) return Promise.race([this.#asking, sleep(ms, false, { ref: false })]);
    const since = Math.max(this.#answered, Math.min(...this.#running.values()));
    return this.#answered > Number.NEGATIVE_INFINITY && now - since < this.#options.patience;
  }

  /**
   * Measures batches of growing size on all detectors, as many as `budget` ms allow, so that the first requests find a
   * warm model.
   * @returns milliseconds the model takes for an image alone, and between two when all detectors are busy
   */
  async warmUp(task: SentTask, budget: number): Promise<{ alone: number; pace: number }> {
    const lanes = this.#idle.splice(0);
    const end = performance.now() + budget;
    const times = this.#times;
    for (const size of times.sizes) {
      for (let run = 0; run < 2; run++) {
        if (size > 1 && performance.now() + times.expected(size) > end) break;
        const tasks = Array.from({ length: size }, () => ({ ...task, alone: true }));
        await Promise.all(lanes.map(async (lane) => this.#record(await lane.run(tasks))));
      }
    }
    this.#idle.push(...lanes);
    this.#work();
    return { alone: times.expected(1), pace: times.pace / lanes.length };
  }

  /** Sends every idle detector a batch of nothing. @returns whether one answered */
  async #askIdle(): Promise<boolean> {
    const process = this.#process;
    const ask = async (lane: Lane) => {
      const stopWatching = this.#watchBatch();
      try {
        await lane.run([]);
        if (process === this.#process) this.#idle.push(lane);
        this.#answered = performance.now();
        this.#work();
      } finally {
        stopWatching();
      }
    };
    return Promise.any(this.#idle.splice(0).map(ask)).then(
      () => true,
      () => false,
    );
  }

  /** Ends the process when a detector takes too long: what others answer must not hide one that stands still. */
  #watchBatch(): () => void {
    const watch = setTimeout(this.#options.kill, this.#options.patience);
    return () => clearTimeout(watch);
  }

  #work(): void {
    for (let batch = this.#next(); batch.length > 0; batch = this.#next()) void this.#runBatch(batch);
  }

  /** The next batch that can begin, off the queue; empty when there is none. */
  #next(): Job[] {
    const isReady = (job: Job) => this.#idleFor(job).length > 0;
    const suspect = this.#waiting.find(isSuspect);
    const first = suspect ?? this.#waiting.find(isReady);
    if (first === undefined || !isReady(first) || this.#mustWait(first)) return [];
    const batch = first.alone ? [first] : this.#together(first);
    this.#waiting = this.#waiting.filter((job) => !batch.includes(job));
    return batch;
  }

  /** Suspects, which go before all others, wait for the next process and are alone with it. */
  #mustWait(first: Job): boolean {
    if (first.suspectOf === this.#process) return true;
    const [inHand] = this.#running.keys();
    return inHand !== undefined && (isSuspect(inHand[0]) || isSuspect(first));
  }

  #together(first: Job): Job[] {
    const jobs = this.#waiting.filter(({ alone }) => !alone);
    const share = Math.ceil(jobs.length / this.#idle.length);
    return jobs.slice(0, this.#times.best(share, first.seat.deadline - performance.now()));
  }

  #idleFor({ long }: Job): Lane[] {
    return long ? this.#idleLong : this.#idle;
  }

  async #runBatch(batch: Job[]): Promise<void> {
    const idle = this.#idleFor(batch[0]);
    const lane = idle.shift() as Lane;
    const [{ long }] = batch;
    const start = performance.now();
    const process = this.#process;
    this.#running.set(batch, start);
    const stopWatching = this.#watchBatch();
    this.#options.onBatch?.(batch.length);
    try {
      const done = await lane.run(batch.map(({ request }) => ({ ...request, alone: long })));
      this.#answered = performance.now();
      if (!long) this.#record(done);
      batch.forEach((job, i) => {
        const outcome = done.outcomes[i];
        if ('long' in outcome) this.#putOff(job);
        else settle(job, outcome, { queue: start - job.since, ...done.times });
      });
      idle.push(lane);
    } catch (error) {
      const died = error instanceof LaneClosed;
      this.#again(batch, error, died ? process : undefined);
      if (!died) idle.push(lane);
      // A process ends as a whole.
      else if (process === this.#process) [this.#idle, this.#idleLong] = [[], []];
    }
    stopWatching();
    this.#running.delete(batch);
    this.#work();
  }

  /**
   * Nothing of a batch that failed was answered yet, and looking at an image twice harms nobody.
   * @param process that died of it, if one did
   */
  #again(batch: readonly Job[], error: unknown, process?: number): void {
    const died = process !== undefined;
    for (const job of batch.filter(({ over }) => !over).toReversed()) {
      if (died ? isSuspect(job) : job.alone) {
        job.reject(died ? killsItsProcess() : error);
        continue;
      }
      job.alone = true;
      job.suspectOf ??= process;
      this.#waiting.unshift(job);
    }
  }

  /** It keeps nobody waiting where it goes. */
  #putOff(job: Job): void {
    if (job.over) return;
    job.alone = true;
    job.long = true;
    this.#waiting.push(job);
  }

  #record({ outcomes, times: { letterbox, inference, post } }: BatchOutcomes): void {
    const looked = outcomes.filter((outcome) => 'detections' in outcome).length;
    if (looked > 0) this.#times.record(looked, letterbox + inference + post);
  }

  /** Gives a request up that waits when its deadline can no longer be kept, and one in hand some time after that. */
  #watchDeadline(job: Job): () => void {
    const budget = job.seat.deadline - performance.now();
    // A model that alone takes longer than the budget is to answer when it is idle all the same.
    const patience = Math.max(budget / 2, budget - this.#times.expected(1));
    const tooLate = () => {
      // As slow as this at least.
      if (!job.long) job.seat.measure();
      const message = 'The request waited until its deadline.';
      this.#giveUp(job, this.#options.admission.refusal('deadline_passed', message));
    };
    let timer = setTimeout(() => {
      if (this.#waiting.includes(job) && this.#running.size > 0) tooLate();
      else timer = setTimeout(tooLate, budget - patience + GRACE_MS);
    }, patience);
    return () => clearTimeout(timer);
  }

  #giveUp(job: Job, reason: ApiError): void {
    job.over = true;
    job.reject(reason);
    const at = this.#waiting.indexOf(job);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    // It may have held up the others.
    this.#work();
  }
}
