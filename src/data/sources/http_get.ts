import type { IncomingMessage } from 'node:http';
import type { Agent, RequestOptions } from 'node:https';
import redirecting, { type FollowOptions } from 'follow-redirects';
import { HttpProxyAgent } from 'http-proxy-agent';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { getProxyForUrl } from 'proxy-from-env';

type Options = RequestOptions & FollowOptions<RequestOptions & { href?: string }>;

/** Milliseconds a server may be silent, before and during its answer. */
const SILENCE_MS = 60_000;

/**
 * Gets an http or https URL through the proxy in HTTP_PROXY, HTTPS_PROXY and NO_PROXY, following redirects. Not fetch:
 * undici before version 8, which is part of Node 22 and 24, ends the process when a server closes a connection before
 * its body is read.
 *
 * @throws Error if there is no answer; the body emits an error if it breaks off or the server falls silent
 */
export function httpGet(
  url: string,
  headers: Record<string, string>,
  silenceMs = SILENCE_MS,
): Promise<IncomingMessage> {
  return new Promise((done, fail) => {
    const options: Options = {
      headers,
      agents: agentsFor(url),
      beforeRedirect(next) {
        next.agents = agentsFor(String(next.href));
      },
    };
    const { get } = url.toLowerCase().startsWith('https:') ? redirecting.https : redirecting.http;
    const request = get(url, options);
    request.setTimeout(silenceMs, () => request.destroy(new Error(`nothing came for ${silenceMs / 1000} s`)));
    // If several addresses were tried, the message is empty.
    request
      .on('response', done)
      .on('error', (error: NodeJS.ErrnoException) => fail(new Error(error.message || error.code)));
  });
}

function agentsFor(url: string): Options['agents'] {
  const proxy = getProxyForUrl(url);
  // Typed as an agent of node:https, whose features it does not use.
  return proxy ? { http: new HttpProxyAgent(proxy), https: new HttpsProxyAgent(proxy) as unknown as Agent } : {};
}
