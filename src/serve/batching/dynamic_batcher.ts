import { setMaxListeners } from 'node:events';
import { type Clock, systemClock } from '../../base/clock.js';
import { type ApiError, clientGone } from '../api_error.js';
import type { BatchResult, DetectAnswer, DetectRequest } from '../detect_request.js';
import { ChannelClosed, type WorkerChannel, type WorkerChannels } from '../worker/worker_channel.js';
import type { Admission, Ticket } from './admission.js';
import { BatchCostModel } from './batch_cost_model.js';
import { isSuspect, killsItsWorker, type PendingRequest, settle } from './pending_request.js';

/** Milliseconds for which an answer shows that the worker answers. */
const RECENT_MS = 1000;

/** Grace period: milliseconds after its deadline at which a request in hand is given up, whatever its worker does. */
const GRACE_MS = 1000;

export interface DynamicBatcherOptions {
  admission: Admission;
  /** Milliseconds an instance may take over a batch before the worker is ended. */
  batchTimeout: number;
  /** Ends the worker. */
  kill: () => void;
  /** Called with the size of every batch that begins. */
  onBatch?: (size: number) => void;
  clock?: Clock;
}

/**
 * Sends a model's requests to the instances of its worker in batches. What came while a batch ran is in the next one, up to
 * the size that measured times show to be best; an idle instance never waits for more. No request is lost when the worker
 * dies, and none waits for ever.
 */
export class DynamicBatcher {
  readonly #options: DynamicBatcherOptions;
  readonly #clock: Clock;
  #waiting: PendingRequest[] = [];
  /** Batches in hand, and since when. */
  readonly #running = new Map<PendingRequest[], number>();
  /** Channels of idle instances. */
  #idle: WorkerChannel[] = [];
  /** That of the instance for long images, when it is idle. */
  #idleLong: WorkerChannel[] = [];
  /** Counts the workers. */
  #worker = 0;
  /** When an instance of the worker last answered. */
  #answered = Number.NEGATIVE_INFINITY;
  #asking?: Promise<boolean>;
  #costs = new BatchCostModel(1);

  constructor(options: DynamicBatcherOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Images waiting for an instance. */
  get queued(): number {
    return this.#waiting.length;
  }

  /**
   * Resolves with the objects of an image.
   *
   * @throws ApiError 413 or 422 for the image, 503 when it waited too long, 499 when the client has gone; Error when the
   *   model failed
   */
  async detect(request: DetectRequest, ticket: Ticket, signal: AbortSignal): Promise<DetectAnswer> {
    if (signal.aborted) throw clientGone();
    // A request may be of many images.
    setMaxListeners(0, signal);
    let leave = () => {};
    let stopWatching = () => {};
    try {
      return await new Promise<DetectAnswer>((resolve, reject) => {
        const since = this.#clock.now();
        const pending: PendingRequest = {
          request,
          ticket,
          since,
          alone: false,
          long: false,
          over: false,
          resolve,
          reject,
        };
        leave = () => this.#giveUp(pending, clientGone());
        signal.addEventListener('abort', leave, { once: true });
        stopWatching = this.#watchDeadline(pending);
        this.#waiting.push(pending);
        this.#work();
      });
    } finally {
      stopWatching();
      signal.removeEventListener('abort', leave);
    }
  }

  /** Takes a worker that is ready: its instances get what waits, in batches of at most `maxBatch`. */
  connect({ channels, long }: WorkerChannels, maxBatch: number): void {
    if (this.#worker++ === 0) this.#costs = new BatchCostModel(maxBatch);
    this.#idle = [...channels];
    this.#idleLong = [long];
    this.#answered = Number.NEGATIVE_INFINITY;
    this.#work();
  }

  /**
   * Whether the worker answers: an instance did a moment ago, an idle one answers an empty batch within `ms`, or all are
   * busy with batches that are not overdue.
   */
  async answers(ms: number): Promise<boolean> {
    const now = this.#clock.now();
    if (now - this.#answered < RECENT_MS) return true;
    if (this.#idle.length > 0) {
      this.#asking ??= this.#askIdle().finally(() => {
        this.#asking = undefined;
      });
    }
    if (this.#asking) return this.#within(ms, this.#asking);
    const since = Math.max(this.#answered, Math.min(...this.#running.values()));
    return this.#answered > Number.NEGATIVE_INFINITY && now - since < this.#options.batchTimeout;
  }

  /**
   * Measures batches of growing size on all instances, as many as `budget` ms allow, so that the first requests find a
   * warm model. Resolves with the milliseconds an image takes alone, and those between two when all instances are busy.
   */
  async warmUp(request: DetectRequest, budget: number): Promise<{ alone: number; pace: number }> {
    const channels = this.#idle.splice(0);
    const end = this.#clock.now() + budget;
    const costs = this.#costs;
    for (const size of costs.sizes) {
      for (let run = 0; run < 2; run++) {
        if (size > 1 && this.#clock.now() + costs.expected(size) > end) break;
        const requests = Array.from({ length: size }, () => ({ ...request, alone: true }));
        await Promise.all(channels.map(async (channel) => this.#record(await channel.run(requests))));
      }
    }
    this.#idle.push(...channels);
    this.#work();
    return { alone: costs.expected(1), pace: costs.pace / channels.length };
  }

  /** Sends every idle instance an empty batch. Resolves with whether one answered. */
  async #askIdle(): Promise<boolean> {
    const worker = this.#worker;
    const ask = async (channel: WorkerChannel) => {
      const stopWatching = this.#watchBatch();
      try {
        await channel.run([]);
        if (worker === this.#worker) this.#idle.push(channel);
        this.#answered = this.#clock.now();
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

  /** Ends the worker when an instance exceeds the batch timeout: one that hangs must not hide behind others that answer. */
  #watchBatch(): () => void {
    return this.#clock.after(this.#options.batchTimeout, this.#options.kill);
  }

  /** What `answer` resolves with, or false after `ms`. */
  #within(ms: number, answer: Promise<boolean>): Promise<boolean> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(ms, () => resolve(false));
      void answer.then(resolve).finally(cancel);
    });
  }

  #work(): void {
    for (let batch = this.#next(); batch.length > 0; batch = this.#next()) void this.#runBatch(batch);
  }

  /** The next batch that can begin, off the queue; empty when there is none. */
  #next(): PendingRequest[] {
    const isReady = (pending: PendingRequest) => this.#idleFor(pending).length > 0;
    const suspect = this.#waiting.find(isSuspect);
    const first = suspect ?? this.#waiting.find(isReady);
    if (first === undefined || !isReady(first) || this.#mustWait(first)) return [];
    const batch = first.alone ? [first] : this.#together(first);
    this.#waiting = this.#waiting.filter((pending) => !batch.includes(pending));
    return batch;
  }

  /** Suspects, which go before all others, wait for the next worker and are alone with it. */
  #mustWait(first: PendingRequest): boolean {
    if (first.suspectOf === this.#worker) return true;
    const [inHand] = this.#running.keys();
    return inHand !== undefined && (isSuspect(inHand[0]) || isSuspect(first));
  }

  #together(first: PendingRequest): PendingRequest[] {
    const candidates = this.#waiting.filter(({ alone }) => !alone);
    const share = Math.ceil(candidates.length / this.#idle.length);
    return candidates.slice(0, this.#costs.best(share, first.ticket.deadline - this.#clock.now()));
  }

  #idleFor({ long }: PendingRequest): WorkerChannel[] {
    return long ? this.#idleLong : this.#idle;
  }

  async #runBatch(batch: PendingRequest[]): Promise<void> {
    const idle = this.#idleFor(batch[0]);
    const channel = idle.shift() as WorkerChannel;
    const [{ long }] = batch;
    const start = this.#clock.now();
    const worker = this.#worker;
    this.#running.set(batch, start);
    const stopWatching = this.#watchBatch();
    this.#options.onBatch?.(batch.length);
    try {
      const done = await channel.run(batch.map(({ request }) => ({ ...request, alone: long })));
      this.#answered = this.#clock.now();
      if (!long) this.#record(done);
      batch.forEach((pending, i) => {
        const outcome = done.outcomes[i];
        if ('long' in outcome) this.#putOff(pending);
        else settle(pending, outcome, { queue: start - pending.since, ...done.times });
      });
      idle.push(channel);
    } catch (error) {
      const died = error instanceof ChannelClosed;
      this.#again(batch, error, died ? worker : undefined);
      if (!died) idle.push(channel);
      // A worker ends as a whole.
      else if (worker === this.#worker) [this.#idle, this.#idleLong] = [[], []];
    }
    stopWatching();
    this.#running.delete(batch);
    this.#work();
  }

  /**
   * Queues the requests of a failed batch again: none has been answered yet, and detecting twice is harmless.
   *
   * @param worker the one that died of it, if one did
   */
  #again(batch: readonly PendingRequest[], error: unknown, worker?: number): void {
    const died = worker !== undefined;
    for (const pending of batch.filter(({ over }) => !over).toReversed()) {
      if (died ? isSuspect(pending) : pending.alone) {
        pending.reject(died ? killsItsWorker() : error);
        continue;
      }
      pending.alone = true;
      pending.suspectOf ??= worker;
      this.#waiting.unshift(pending);
    }
  }

  /** Sends a long image to the instance for such, where no other waits for it. */
  #putOff(pending: PendingRequest): void {
    if (pending.over) return;
    pending.alone = true;
    pending.long = true;
    this.#waiting.push(pending);
  }

  #record({ outcomes, times: { letterbox, inference, post } }: BatchResult): void {
    const detected = outcomes.filter((outcome) => 'detections' in outcome).length;
    if (detected > 0) this.#costs.record(detected, letterbox + inference + post);
  }

  /** Gives up a waiting request when its deadline can no longer be kept, and one in hand after the grace period. */
  #watchDeadline(pending: PendingRequest): () => void {
    const budget = pending.ticket.deadline - this.#clock.now();
    // An idle model answers even if an image alone takes it longer than the budget.
    const wait = Math.max(budget / 2, budget - this.#costs.expected(1));
    const tooLate = () => {
      // Its latency would have been this long or longer.
      if (!pending.long) pending.ticket.measure();
      const message = 'The request waited until its deadline.';
      this.#giveUp(pending, this.#options.admission.refusal('deadline_passed', message));
    };
    let cancel = this.#clock.after(wait, () => {
      if (this.#waiting.includes(pending) && this.#running.size > 0) tooLate();
      else cancel = this.#clock.after(budget - wait + GRACE_MS, tooLate);
    });
    return () => cancel();
  }

  #giveUp(pending: PendingRequest, reason: ApiError): void {
    pending.over = true;
    pending.reject(reason);
    const at = this.#waiting.indexOf(pending);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    // Others may have waited for it.
    this.#work();
  }
}
