import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { answerPlainly } from './plain_answer.js';
import type { Member } from './pool.js';

/** Requests that may wait on a connection for those before them. */
const MOST_WAITING = 100;

/** A request is slow that, after so many milliseconds, has come with fewer bytes a second than this. */
const SLOW = { afterMs: 5_000, bytesPerS: 10_000 };

/** What is added to the rank of slow requests: connections without one go first. */
const SLOW_RANK = Number.MAX_SAFE_INTEGER / 2;

interface Turn {
  incoming: IncomingMessage;
  outgoing: ServerResponse;
  handler: (incoming: IncomingMessage, outgoing: ServerResponse) => void;
}

/** A connection. Its requests are handled one after the other, so that many sent at once delay no other client. */
export class Connection implements Member {
  readonly client: string;
  readonly exempt: boolean;
  /** Whether it is one of those kept for probes. */
  reserved = false;
  readonly #socket: Socket;
  readonly #onEvicted: () => void;
  readonly #waiting: Turn[] = [];
  #current?: Turn;
  /** When it was opened, its last request began, or the last answer ended. */
  #since = performance.now();
  /** Bytes that had been read when the request began. */
  #readBefore = 0;
  /** Whether too much came: what still comes is not handled. */
  #overrun = false;

  /** @param onEvicted told when it is closed for another */
  constructor(socket: Socket, { client, exempt }: Pick<Member, 'client' | 'exempt'>, onEvicted: () => void) {
    this.#socket = socket;
    this.client = client;
    this.exempt = exempt;
    this.#onEvicted = onEvicted;
  }

  get evictable(): number | undefined {
    // The answer of a probe takes no time.
    if (this.reserved || this.#current === undefined) return this.#since;
    return this.#isSlow(this.#current) ? SLOW_RANK + this.#since : undefined;
  }

  close(): void {
    this.#onEvicted();
    this.#socket.destroy();
  }

  take(incoming: IncomingMessage, outgoing: ServerResponse, handler: Turn['handler']): void {
    if (this.#overrun) return;
    if (this.#current === undefined) {
      this.#begin({ incoming, outgoing, handler });
      return;
    }
    this.#overrun = this.#waiting.length >= MOST_WAITING;
    if (this.#overrun) {
      outgoing.shouldKeepAlive = false;
      this.#socket.pause();
    }
    this.#waiting.push({ incoming, outgoing, handler: this.#overrun ? refusePipelined : handler });
  }

  #begin(turn: Turn): void {
    this.#current = turn;
    this.#since = performance.now();
    this.#readBefore = this.#socket.bytesRead;
    turn.outgoing.once('close', () => this.#next());
    turn.handler(turn.incoming, turn.outgoing);
  }

  #next(): void {
    const next = this.#waiting.shift();
    this.#current = next;
    this.#since = performance.now();
    if (next === undefined) return;
    // Others get their turn in between.
    setImmediate(() => {
      if (!this.#socket.destroyed) this.#begin(next);
    });
  }

  #isSlow({ incoming }: Turn): boolean {
    const ms = performance.now() - this.#since;
    if (incoming.complete || ms < SLOW.afterMs) return false;
    return (this.#socket.bytesRead - this.#readBefore) / ms < SLOW.bytesPerS / 1000;
  }
}

function refusePipelined(_: IncomingMessage, outgoing: ServerResponse): void {
  answerPlainly(outgoing, {
    code: 'too_many_requests',
    message: 'Too many requests were sent on this connection before their answers were read.',
    expected: `at most ${MOST_WAITING} that wait`,
  });
}
