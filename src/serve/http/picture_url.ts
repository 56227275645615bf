import type { LookupAddress } from 'node:dns';
import { lookup as resolveName } from 'node:dns/promises';
import { once } from 'node:events';
import { type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import { posix } from 'node:path';
import { HttpProblem } from './http_problem.js';
import type { Upload } from './upload.js';
import { checkAddresses, checkUrl } from './url_rules.js';

/** Fetches under way at once: each may hold a whole picture in memory. */
const MOST_AT_ONCE = 16;

export interface PictureUrlOptions {
  /** Hosts pictures may come from, see `serve.urlHosts`; without any, none is fetched. */
  urlHosts: readonly string[];
  /** Milliseconds for one fetch, from resolving the name to the last byte. */
  urlTimeout: number;
  /** Largest picture, bytes. */
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

/** Fetches pictures from allowed hosts, and from nowhere inside the network the service runs in. */
export class PictureUrls {
  readonly #options: PictureUrlOptions;
  readonly #network: Network;
  #running = 0;

  constructor(options: PictureUrlOptions, network: Network = INTERNET) {
    this.#options = options;
    this.#network = network;
  }

  /**
   * @throws HttpProblem 400 for no URL, 403 for one that is not allowed, 413 when the picture is too large, 422 when
   *   none comes from there in time, 503 when too many are being fetched
   */
  async fetch(text: string, signal: AbortSignal): Promise<Upload> {
    const url = checkUrl(text, this.#options.urlHosts);
    if (this.#running >= MOST_AT_ONCE) {
      const message = 'Too many pictures are being fetched.';
      throw new HttpProblem(503, { code: 'overloaded', message, hint: 'Ask again in 1 s.' }, { retryAfter: 1 });
    }
    this.#running++;
    try {
      const until = AbortSignal.any([signal, AbortSignal.timeout(this.#options.urlTimeout)]);
      const addresses = await withinTime(this.#network.resolve(url.hostname), until);
      checkAddresses(addresses, url);
      const response = await this.#request(url, addresses, until);
      return { bytes: await this.#read(response, url), name: posix.basename(url.pathname) };
    } catch (error) {
      throw error instanceof HttpProblem ? error : unfetchable(url, 'nothing, or not in time', error);
    } finally {
      this.#running--;
    }
  }

  async #request(url: URL, addresses: LookupAddress[], signal: AbortSignal): Promise<IncomingMessage> {
    const send = url.protocol === 'https:' ? requestHttps : requestHttp;
    const headers = { accept: 'image/*', 'accept-encoding': 'identity', 'user-agent': 'yolox' };
    const outgoing = send(url, { ...this.#network.connect(addresses), headers, signal });
    // An abort after the answer has begun is told twice: here, and to whoever reads it.
    outgoing.on('error', () => {});
    outgoing.end();
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    return response;
  }

  async #read(response: IncomingMessage, url: URL): Promise<Buffer> {
    const { maxBytes } = this.#options;
    try {
      // A redirect may lead anywhere; it is no picture.
      if (response.statusCode !== 200) throw unfetchable(url, `status ${response.statusCode}`);
      const type = response.headers['content-type'] ?? 'no content type';
      if (!type.toLowerCase().startsWith('image/')) throw unfetchable(url, type.slice(0, 100));
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

function unfetchable({ host }: URL, received: string, cause?: unknown): HttpProblem {
  return new HttpProblem(
    422,
    { code: 'unfetchable', message: `The picture cannot be had from ${host}.`, expected: 'a picture', received },
    { cause },
  );
}

function tooLarge(maxBytes: number): HttpProblem {
  const message = 'The picture at the URL is too large.';
  return new HttpProblem(413, { code: 'too_large', message, expected: `at most ${maxBytes} bytes` });
}
