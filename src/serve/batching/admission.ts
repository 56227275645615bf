import { ApiError, type ErrorCode } from '../api_error.js';
import { Latencies } from './latency_model.js';

/** Share of the deadline that may be planned for; the rest is for what measurements could not foresee. */
const PLANNED = 0.75;

export interface AdmissionOptions {
  /** Most requests admitted and not answered yet. */
  queue: number;
  /** Milliseconds from admission to the answer. */
  deadline: number;
  /** Requests taken whatever was measured: fewer would not show how fast the model can be. */
  least: number;
}

/** A request's place among the admitted. */
export interface Seat {
  /** When the answer is due, on the clock. */
  readonly deadline: number;
  /** To be told when the request was answered, or found too late: latencies are learnt from it. */
  measure(): void;
  leave(): void;
}

/** Decides who is let in: nobody for whom there is no place, or whose answer would come too late. */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #now: () => number;
  readonly #latencies = new Latencies();
  #admitted = 0;
  #whenIdle: (() => void)[] = [];

  /** @param now milliseconds on the clock that deadlines are on */
  constructor(options: AdmissionOptions, now = () => performance.now()) {
    this.#options = options;
    this.#now = now;
  }

  get admitted(): number {
    return this.#admitted;
  }

  /**
   * Says for a start what was measured before the first request.
   * @param alone milliseconds of a request alone
   * @param pace milliseconds between two answers when there are many
   */
  expect(alone: number, pace: number): void {
    this.#latencies.expect(alone, pace);
  }

  /** @throws ApiError 503 when the queue is full, or an answer would come after the deadline */
  check(): void {
    const { queue, deadline, least } = this.#options;
    const late = this.#latencies.of(this.#admitted + 1) > PLANNED * deadline;
    if (this.#admitted >= queue || (late && this.#admitted >= least)) {
      throw this.refusal('overloaded', 'More requests came than can be answered in time.');
    }
  }

  /** @throws ApiError as `check` */
  enter(): Seat {
    this.check();
    const since = this.#now();
    const position = ++this.#admitted;
    return {
      deadline: since + this.#options.deadline,
      measure: () => this.#latencies.record(position, this.#now() - since),
      leave: () => {
        this.#admitted--;
        if (this.#admitted === 0) for (const tell of this.#whenIdle.splice(0)) tell();
      },
    };
  }

  /** A 503 that says when to ask again: when those admitted now are answered. */
  refusal(code: ErrorCode, message: string): ApiError {
    const retryAfter = Math.max(1, Math.ceil(this.#latencies.of(this.#admitted) / 1000));
    return new ApiError({ code, message, hint: `Ask again in ${retryAfter} s.` }, { retryAfter });
  }

  /** Resolves when every seat has been left. */
  async idle(): Promise<void> {
    if (this.#admitted === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenIdle.push(resolve);
    });
  }
}
