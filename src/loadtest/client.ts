import { Pool } from 'undici';

/** Body of one request and its media type. */
export interface Payload {
  data: Uint8Array;
  type: string;
}

/** A service that accepts an image by POST. */
export interface Target {
  url: string;
  /** Sent in turn. */
  payloads: readonly Payload[];
  headers?: Readonly<Record<string, string>>;
  /** A request without an answer after this time is an error. */
  timeoutSeconds: number;
}

/** Outcome of a request: an answer, or the code of an error. */
export type Outcome =
  | { status: number; serverTiming: string | undefined; error?: undefined }
  | { status?: undefined; error: string };

/** Posts over keep-alive connections, one request at a time on each. */
export class Client {
  readonly #target: Target;
  readonly #pool: Pool;
  readonly #path: string;
  #next = 0;

  /** @param connections most open connections */
  constructor(target: Target, connections: number) {
    const { origin, pathname, search } = new URL(target.url);
    const timeout = target.timeoutSeconds * 1000;
    this.#target = target;
    this.#path = pathname + search;
    this.#pool = new Pool(origin, {
      connections,
      pipelining: 1,
      headersTimeout: timeout,
      bodyTimeout: timeout,
      connect: { timeout },
    });
  }

  async post(): Promise<Outcome> {
    const { payloads, headers } = this.#target;
    const { data, type } = payloads[this.#next++ % payloads.length];
    try {
      const answer = await this.#pool.request({
        method: 'POST',
        path: this.#path,
        headers: { ...headers, 'content-type': type },
        body: data,
      });
      // The answer is complete with its last byte.
      await answer.body.arrayBuffer();
      return { status: answer.statusCode, serverTiming: answer.headers['server-timing']?.toString() };
    } catch (error) {
      const { code, name } = error as NodeJS.ErrnoException;
      return { error: code ?? name };
    }
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}
