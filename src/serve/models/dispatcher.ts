import { setMaxListeners } from 'node:events';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { clock } from '../engine/messages.js';
import { HttpProblem } from '../http/http_problem.js';
import type { Admission, Seat } from './admission.js';
import type { EngineNews, EngineProcess } from './engine_process.js';
import type { DetectRequest, Found } from './model.js';

/** Milliseconds after its deadline at which a request is given up, whatever its process does. */
const GRACE_MS = 1000;

/** What a process says of one request. */
export type EngineAnswer = Exclude<EngineNews, { type: 'batch' }>;

/** A request that waits for its answer. */
interface Job {
  id: number;
  request: DetectRequest;
  seat: Seat;
  /** A process died with it in hand: it is tried again by itself, so that the next death names the culprit. */
  suspect: boolean;
  resolve: (found: Found) => void;
  reject: (reason: unknown) => void;
}

/** The requests of a model on their way to its process and back: none is lost when it dies, none waits for ever. */
export class Dispatcher {
  readonly #admission: Admission;
  readonly #patience: number;
  readonly #unsent: Job[] = [];
  readonly #sent = new Map<number, Job>();
  /** What the process has been asked and not answered, also when nobody waits for it any more. */
  readonly #owed = new Set<number>();
  #process?: EngineProcess;
  #watch?: NodeJS.Timeout;
  #lastId = 0;

  /** @param patience milliseconds without a sign of life from a process that owes an answer, after which it is ended */
  constructor(admission: Admission, patience: number) {
    this.#admission = admission;
    this.#patience = patience;
  }

  /** @throws HttpProblem as `Place.detect`, Error when the model failed */
  async detect(request: DetectRequest, seat: Seat, signal: AbortSignal): Promise<Found> {
    if (signal.aborted) throw clientGone();
    // A request may be of many pictures.
    setMaxListeners(0, signal);
    const id = ++this.#lastId;
    let leave = () => {};
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<Found>((resolve, reject) => {
        const job: Job = { id, request, seat, suspect: false, resolve, reject };
        leave = () => {
          this.#withdraw(job);
          reject(clientGone());
        };
        signal.addEventListener('abort', leave, { once: true });
        timer = setTimeout(
          () => {
            this.#withdraw(job);
            this.#tooLate(job);
          },
          seat.deadline - clock() + GRACE_MS,
        );
        this.#unsent.push(job);
        this.#send();
      });
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', leave);
    }
  }

  /** A process is ready: sends what waits. */
  connect(process: EngineProcess): void {
    this.#process = process;
    this.#send();
  }

  /** The process has died: what it had in hand waits for the next, unless it is known to have killed it. */
  disconnect(): void {
    this.#process = undefined;
    this.#owed.clear();
    clearTimeout(this.#watch);
    const inHand = [...this.#sent.values()];
    this.#sent.clear();
    for (const job of inHand.filter(({ suspect }) => suspect)) job.reject(new Error('The picture kills its process.'));
    const again = inHand.filter(({ suspect }) => !suspect);
    for (const job of again) job.suspect = true;
    this.#unsent.unshift(...again);
  }

  /** The process shows that it works. */
  signOfLife(): void {
    if (this.#owed.size > 0) this.#watch?.refresh();
    else clearTimeout(this.#watch);
  }

  settle(answer: EngineAnswer): void {
    this.#owed.delete(answer.id);
    this.signOfLife();
    const job = this.#sent.get(answer.id);
    // Nobody waits for it any more.
    if (job === undefined) return;
    this.#sent.delete(job.id);
    if (answer.type === 'found') {
      job.seat.measure();
      job.resolve(answer.found);
    } else if (answer.type === 'refused') {
      job.reject(new HttpProblem(answer.status as ContentfulStatusCode, answer.reason));
    } else if (answer.type === 'late') this.#tooLate(job);
    else job.reject(new Error(answer.message));
    this.#send();
  }

  #send(): void {
    while (this.#process !== undefined && this.#unsent.length > 0 && !this.#mustWait()) {
      const job = this.#unsent.shift() as Job;
      this.#sent.set(job.id, job);
      if (this.#owed.size === 0) this.#watch = setTimeout(() => this.#process?.kill(), this.#patience);
      this.#owed.add(job.id);
      this.#process.tell({ type: 'detect', id: job.id, request: job.request, deadline: job.seat.deadline });
    }
  }

  /** Suspects, which stand before all others, are alone with their process. */
  #mustWait(): boolean {
    const [inHand] = this.#sent.values();
    return inHand !== undefined && (inHand.suspect || this.#unsent[0].suspect);
  }

  #tooLate(job: Job): void {
    // As slow as this at least.
    job.seat.measure();
    job.reject(this.#admission.refusal('deadline_passed', 'The request waited until its deadline.'));
  }

  /** Nobody waits for it any more. */
  #withdraw(job: Job): void {
    if (this.#sent.delete(job.id)) this.#process?.tell({ type: 'cancel', id: job.id });
    const at = this.#unsent.indexOf(job);
    if (at >= 0) this.#unsent.splice(at, 1);
    this.#send();
  }
}

/** Nobody reads it; the status, nginx's, is for the metrics. */
function clientGone(): HttpProblem {
  return new HttpProblem(499 as ContentfulStatusCode, { code: 'client_gone', message: 'The client has gone.' });
}
