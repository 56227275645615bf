import { type Clock, systemClock } from '../../base/clock.js';
import { ApiError, type ErrorCode } from '../api_error.js';
import { LatencyModel } from './latency_model.js';

/** Share of the deadline that may be planned for; the rest is for what measurements could not foresee. */
const PLANNED = 0.75;

export interface AdmissionOptions {
  /** Most requests admitted and not answered yet. */
  queue: number;
  /** Milliseconds from admission to the answer. */
  deadline: number;
  /** Requests admitted whatever was measured: fewer would not show how fast the model can be. */
  least: number;
}

/** What an admitted request holds until it is answered. */
export interface Ticket {
  /** When the answer is due, on the clock. */
  readonly deadline: number;
  /** Call it when the request is answered, or found too late: the latency model learns from it. */
  measure(): void;
  /** Gives the ticket back. */
  leave(): void;
}

/** Admits requests while the queue has room and their answers would come in time. */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #clock: Clock;
  readonly #latency = new LatencyModel();
  #admitted = 0;
  #whenIdle: (() => void)[] = [];

  constructor(options: AdmissionOptions, clock = systemClock) {
    this.#options = options;
    this.#clock = clock;
  }

  get admitted(): number {
    return this.#admitted;
  }

  /**
   * Starts the latency model with what was measured before the first request.
   * @param alone milliseconds of a request alone
   * @param pace milliseconds between two answers when there are many
   */
  expect(alone: number, pace: number): void {
    this.#latency.expect(alone, pace);
  }

  /** @throws ApiError 503 when the queue is full, or an answer would come after the deadline */
  check(): void {
    const { queue, deadline, least } = this.#options;
    const late = this.#latency.of(this.#admitted + 1) > PLANNED * deadline;
    if (this.#admitted >= queue || (late && this.#admitted >= least)) {
      throw this.refusal('overloaded', 'More requests came than can be answered in time.');
    }
  }

  /** @throws ApiError as `check` */
  enter(): Ticket {
    this.check();
    const since = this.#clock.now();
    const position = ++this.#admitted;
    return {
      deadline: since + this.#options.deadline,
      measure: () => this.#latency.record(position, this.#clock.now() - since),
      leave: () => {
        this.#admitted--;
        if (this.#admitted === 0) for (const tell of this.#whenIdle.splice(0)) tell();
      },
    };
  }

  /** A 503 that says when to ask again: when those admitted now are answered. */
  refusal(code: ErrorCode, message: string): ApiError {
    const retryAfter = Math.max(1, Math.ceil(this.#latency.of(this.#admitted) / 1000));
    return new ApiError({ code, message, hint: `Ask again in ${retryAfter} s.` }, { retryAfter });
  }

  /** Resolves when every ticket has been given back. */
  async idle(): Promise<void> {
    if (this.#admitted === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenIdle.push(resolve);
    });
  }
}
