import type { LookupAddress } from 'node:dns';
import { lookup as resolveName } from 'node:dns/promises';
import { once } from 'node:events';
import { type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import { posix } from 'node:path';
import { ApiError, clientGone } from '../api_error.js';
import type { Upload } from './body.js';
import { checkAddresses, checkUrl } from './url_rules.js';

/** Fetches under way at once: each may hold a whole image in memory. */
const MOST_AT_ONCE = 16;

export interface ImageUrlOptions {
  /** Hosts images may come from, see `serve.urlHosts`; without any, none is fetched. */
  urlHosts: readonly string[];
  /** Milliseconds for one fetch, from resolving the name to the last byte. */
  urlTimeout: number;
  /** Largest image, bytes. */
  maxBytes: number;
}

/** How names are resolved and connections made. */
export interface Network {
  resolve(host: string): Promise<LookupAddress[]>;
  /** Options that make a request go to one of these addresses, which were checked, and to no other. */
  connect(addresses: LookupAddress[]): RequestOptions;
}

const INTERNET: Network = {
  resolve: (host) => resolveName(host, { all: true }),
  connect: (addresses) => ({ lookup: pinned(addresses), agent: false }),
};

/** A resolver that knows one answer: the name cannot mean another machine between the check and the connection. */
export function pinned(addresses: LookupAddress[]): LookupFunction {
  return (_host, options, done) => {
    if (options.all) done(null, addresses);
    else done(null, addresses[0].address, addresses[0].family);
  };
}

/** Fetches images from allowed hosts, and from nowhere inside the network the service runs in. */
export class ImageUrls {
  readonly #options: ImageUrlOptions;
  readonly #network: Network;
  #running = 0;

  constructor(options: ImageUrlOptions, network: Network = INTERNET) {
    this.#options = options;
    this.#network = network;
  }

  /**
   * @throws ApiError 400 for no URL, 403 for one that is not allowed, 413 when the image is too large, 422 when
   *   none comes from there in time, 503 when too many are being fetched
   */
  async fetch(text: string, signal: AbortSignal): Promise<Upload> {
    const url = checkUrl(text, this.#options.urlHosts);
    if (this.#running >= MOST_AT_ONCE) {
      const message = 'Too many images are being fetched.';
      throw new ApiError({ code: 'overloaded', message, hint: 'Ask again in 1 s.' }, { retryAfter: 1 });
    }
    this.#running++;
    try {
      const until = AbortSignal.any([signal, AbortSignal.timeout(this.#options.urlTimeout)]);
      const addresses = await withinTime(this.#network.resolve(url.hostname), until);
      checkAddresses(addresses, url);
      const response = await this.#request(url, addresses, until);
      const type = response.headers['content-type'] ?? 'no content type';
      const bytes = await this.#read(response, url);
      // Stores give images without their type: the bytes decide, and this explains what they are if they are none.
      return { bytes, name: posix.basename(url.pathname), origin: `${url.host} sent it as ${type.slice(0, 100)}.` };
    } catch (error) {
      if (error instanceof ApiError) throw error;
      throw signal.aborted ? clientGone(error) : unfetchable(url, this.#failureOf(error), { cause: error });
    } finally {
      this.#running--;
    }
  }

  /** What went wrong on the way, for the client that named the URL. */
  #failureOf(error: unknown): string {
    const { name, code, message } = error as NodeJS.ErrnoException;
    if (name === 'TimeoutError' || code === 'ABORT_ERR') return `nothing whole within ${this.#options.urlTimeout} ms`;
    if (code === 'ENOTFOUND') return 'no address of that name';
    if (code === 'ECONNRESET' && message === 'aborted') return 'an answer that was cut off';
    return code ?? 'no answer';
  }

  async #request(url: URL, addresses: LookupAddress[], signal: AbortSignal): Promise<IncomingMessage> {
    const send = url.protocol === 'https:' ? requestHttps : requestHttp;
    const headers = { accept: 'image/*', 'accept-encoding': 'identity', 'user-agent': 'yolox' };
    const outgoing = send(url, { ...this.#network.connect(addresses), headers, signal });
    // An abort after the answer has begun is reported twice: here and to the reader of the body.
    outgoing.on('error', () => {});
    outgoing.end();
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    return response;
  }

  async #read(response: IncomingMessage, url: URL): Promise<Buffer> {
    const { maxBytes } = this.#options;
    try {
      if (response.statusCode !== 200) throw unfetchable(url, ...statusOf(response));
      const encoding = response.headers['content-encoding'] ?? 'identity';
      if (encoding !== 'identity') throw unfetchable(url, `an answer encoded as ${encoding.slice(0, 100)}`);
      if (Number(response.headers['content-length']) > maxBytes) throw tooLarge(maxBytes);
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of response as AsyncIterable<Buffer>) {
        size += chunk.length;
        if (size > maxBytes) throw tooLarge(maxBytes);
        chunks.push(chunk);
      }
      return Buffer.concat(chunks);
    } finally {
      response.destroy();
    }
  }
}

/** The work's result, unless the signal comes first: resolving a name cannot be called off, only no longer waited for. */
async function withinTime<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  return Promise.race([work, late]);
}

/** What an answer is instead of an image. A redirect may lead anywhere, and is not followed. */
function statusOf({ statusCode = 0, headers: { location } }: IncomingMessage): [received: string, hint?: Hint] {
  const redirect = statusCode >= 300 && statusCode < 400 && location !== undefined;
  if (!redirect) return [`status ${statusCode}`];
  return [
    `status ${statusCode}, to ${location.slice(0, 200)}`,
    { hint: 'Redirects are not followed: ask for that URL.' },
  ];
}

interface Hint extends ErrorOptions {
  hint?: string;
}

function unfetchable({ host }: URL, received: string, { hint, cause }: Hint = {}): ApiError {
  const message = `The image cannot be had from ${host}.`;
  return new ApiError({ code: 'unfetchable', message, expected: 'an image', received, hint }, { cause });
}

function tooLarge(maxBytes: number): ApiError {
  const message = 'The image at the URL is too large.';
  return new ApiError({ code: 'too_large', message, expected: `at most ${maxBytes} bytes` });
}
