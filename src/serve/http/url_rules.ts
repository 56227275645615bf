import type { LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { ApiError } from '../api_error.js';

/** What IANA gives out of IPv6; outside are, among others, addresses that hide one of IPv4 (RFC 4291, 2.5.5). */
const GLOBAL_IPV6 = ipaddr.parseCIDR('2000::/3');

/** Looks public, and is Azure's own service inside every virtual network there: metadata, DNS, credentials. */
const AZURE_PLATFORM = '168.63.129.16';

/**
 * The URL of an image, when it lies on one of the hosts.
 * @throws ApiError 400 for what is no URL, 403 for one that is not allowed
 */
export function checkUrl(text: string, hosts: readonly string[]): URL {
  if (hosts.length === 0) {
    throw forbidden('The service fetches no URLs.', {
      expected: 'the image itself',
      hint: 'The operator of the service can allow hosts with serve.urlHosts.',
    });
  }
  const url = parse(text);
  if (url.username !== '' || url.password !== '') throw forbidden('The URL has a user name or password.', {});
  // The parser leaves out the port that the protocol has by itself.
  if (url.port !== '') throw forbidden('The URL has a port of its own.', { expected: 'no port', received: url.port });
  if (!hosts.some((host) => allows(host, url))) {
    throw forbidden('Images may not be fetched from there.', {
      expected: `a URL on one of: ${hosts.map((host) => (host.includes('//') ? host : `https://${host}`)).join(', ')}`,
      received: text,
    });
  }
  return url;
}

function parse(text: string): URL {
  try {
    return new URL(text);
  } catch (cause) {
    throw new ApiError(
      { code: 'bad_url', message: 'This is not a URL.', expected: 'an absolute URL', received: text },
      { cause },
    );
  }
}

/** Whether `host`, `*.host` or `http://host` of the configuration covers a URL; names are in the parser's own form. */
function allows(entry: string, { protocol, hostname }: URL): boolean {
  const plain = entry.startsWith('http://');
  const name = plain ? entry.slice('http://'.length) : entry;
  if (protocol !== 'https:' && !(plain && protocol === 'http:')) return false;
  return name.startsWith('*.') ? hostname.endsWith(name.slice(1)) : hostname === name;
}

/**
 * Makes sure that a name means machines of the public Internet only: not this machine, its network, or a cloud's
 * metadata service.
 * @throws ApiError 403
 */
export function checkAddresses(addresses: readonly LookupAddress[], { hostname }: URL): void {
  if (addresses.length > 0 && addresses.every(({ address }) => isPublic(address))) return;
  throw forbidden(`The name ${hostname} does not stand for a public address.`, {});
}

/** Whether an address is unicast and public; every range with a special meaning (RFC 6890) is not. */
export function isPublic(address: string): boolean {
  // ipaddr.js would also take what only looks like an address.
  if (isIP(address) === 0 || address === AZURE_PLATFORM) return false;
  const parsed = ipaddr.parse(address);
  // `unicast` is what ipaddr.js calls an address in none of those; its ranges are missing some outside GLOBAL_IPV6.
  if (parsed.range() !== 'unicast') return false;
  return parsed.kind() === 'ipv4' || parsed.match(GLOBAL_IPV6);
}

function forbidden(message: string, rest: { expected?: string; received?: unknown; hint?: string }): ApiError {
  return new ApiError({ code: 'url_forbidden', message, ...rest });
}
