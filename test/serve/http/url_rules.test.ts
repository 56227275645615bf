import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { configSchema } from '../../../src/config/schema.js';
import { ApiError } from '../../../src/serve/api_error.js';
import { checkAddresses, checkUrl, isPublic } from '../../../src/serve/http/url_rules.js';

const test = suite('url_rules');
const HOSTS = ['images.example.org', '*.cdn.example.net', 'http://plain.example.com'];

function refused(text: string, hosts: readonly string[] = HOSTS): number {
  try {
    checkUrl(text, hosts);
  } catch (error) {
    assert.instance(error, ApiError);
    return (error as ApiError).status;
  }
  return assert.unreachable(`${text} was allowed`) as never;
}

test('allowed hosts are allowed, however their name is written', () => {
  for (const url of [
    'https://images.example.org/a/b.jpg?size=1#part',
    'https://IMAGES.Example.ORG:443/',
    'https://a.cdn.example.net/x',
    'https://a.b.cdn.example.net/x',
    'http://plain.example.com/x',
    'http://plain.example.com:80/x',
    'https://plain.example.com/x',
    'https://images%2Eexample.org/',
    '\thttps://images.example.org/\n',
  ]) {
    assert.ok(HOSTS.some((host) => checkUrl(url, HOSTS).hostname.endsWith(host.replace(/^(http:\/\/|\*)/, ''))));
  }
});

test('without a list of hosts nothing is fetched', () => {
  assert.is(refused('https://images.example.org/a.jpg', []), 403);
});

test('tricks with URLs lead nowhere', () => {
  for (const url of [
    'http://images.example.org/',
    'http://a.cdn.example.net/',
    'https://cdn.example.net/',
    'https://evilcdn.example.net/',
    'https://images.example.org.evil.com/',
    'https://images.example.org./',
    'https://images.example.org:8443/',
    'https://images.example.org:80/',
    'http://plain.example.com:443/',
    'https://user@images.example.org/',
    'https://:password@images.example.org/',
    'https://images.example.org@evil.com/',
    'https://evil.com\\@images.example.org/',
    'https://evil.com/images.example.org',
    'https://evil.com#images.example.org',
    'https://evil.com?images.example.org',
    'https://xn--images-example.org/',
    'https://images.exаmple.org/',
    'https://127.0.0.1/',
    'https://2130706433/',
    'https://0x7f.1/',
    'https://0177.0.0.1/',
    'https://[::1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://localhost/',
    'ftp://images.example.org/a.jpg',
    'file:///etc/passwd',
    'data:image/png;base64,AAAA',
    'javascript:alert(1)',
  ]) {
    assert.is(refused(url), 403, url);
  }
  for (const url of [
    '',
    'images.example.org/a.jpg',
    '//images.example.org/a',
    'https://',
    'https://a b/',
    'https://[::1',
  ]) {
    assert.is(refused(url), 400, url);
  }
});

test('no text ever leads to a host that is not on the list', () => {
  const part = fc.constantFrom(
    'https',
    'http',
    ':',
    '//',
    '/',
    '@',
    '.',
    '\\',
    '#',
    '?',
    '%2e',
    ...HOSTS,
    'evil.com',
    '::1',
  );
  const text = fc.array(fc.oneof(part, fc.string({ maxLength: 3 })), { maxLength: 10 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(text, (url) => {
      try {
        const { protocol, hostname, port, username, password } = checkUrl(url, HOSTS);
        assert.equal([port, username, password], ['', '', '']);
        assert.ok(protocol === 'https:' || (protocol === 'http:' && hostname === 'plain.example.com'));
        assert.match(hostname, /^images\.example\.org$|\.cdn\.example\.net$|^plain\.example\.com$/);
      } catch (error) {
        assert.instance(error, ApiError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

const byte = fc.integer({ min: 0, max: 255 });
/** IPv4 addresses inside `prefix`, whose first bytes are given, the next may be limited. */
const inside = (first: number[], next: fc.Arbitrary<number> = byte) =>
  fc.tuple(next, byte, byte, byte).map((rest) => [...first, ...rest].slice(0, 4).join('.'));
const innerV4 = fc.oneof(
  inside([0]),
  inside([10]),
  inside([100], fc.integer({ min: 64, max: 127 })),
  inside([127]),
  inside([169, 254]),
  inside([172], fc.integer({ min: 16, max: 31 })),
  inside([192, 0, 0]),
  inside([192, 168]),
  inside([198], fc.integer({ min: 18, max: 19 })),
  inside([], fc.integer({ min: 224, max: 255 })),
  fc.constantFrom('169.254.169.254', '100.100.100.200', '168.63.129.16', '192.0.2.1', '198.51.100.7', '203.0.113.9'),
);
const group = fc.integer({ min: 0, max: 0xffff }).map((value) => value.toString(16));
const groups = (count: number) => fc.array(group, { minLength: count, maxLength: count }).map((all) => all.join(':'));
const hex = (address: string) => {
  const [a, b, c, d] = address.split('.').map(Number);
  return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
};
const innerV6 = fc.oneof(
  fc.constantFrom('::', '::1', '0:0:0:0:0:0:0:1', 'fd00:ec2::254', 'fe80::1%eth0', '2001:db8::1', '2001::1'),
  groups(6).map((rest) => `fc00:0:${rest}`),
  groups(7).map((rest) => `fdab:${rest}`),
  groups(7).map((rest) => `fe80:${rest}`),
  groups(7).map((rest) => `fec0:${rest}`),
  groups(7).map((rest) => `ff02:${rest}`),
);

test('no special address is public, in whatever form it is hidden', () => {
  fc.assert(fc.property(fc.oneof(innerV4, innerV6), (address) => assert.not.ok(isPublic(address), address)));
  fc.assert(
    fc.property(fc.oneof(innerV4, fc.ipV4()), (address) => {
      for (const hidden of [
        `::ffff:${address}`,
        `::ffff:${hex(address)}`,
        `::${address}`,
        `::ffff:0:${address}`,
        `64:ff9b::${address}`,
        `2002:${hex(address)}::1`,
      ]) {
        assert.not.ok(isPublic(hidden), hidden);
      }
    }),
  );
  for (const nothing of ['', 'example.org', '1.2.3', '1.2.3.4.5', '::g']) assert.not.ok(isPublic(nothing), nothing);
});

test('addresses of the Internet are public', () => {
  for (const address of [
    '1.1.1.1',
    '8.8.8.8',
    '93.184.215.14',
    '172.15.0.1',
    '172.32.0.1',
    '2606:4700::1111',
    '2a00:1450:4001::1',
  ]) {
    assert.ok(isPublic(address), address);
  }
});

test('one special address among public ones is one too many, and none is none', () => {
  const url = new URL('https://images.example.org/');
  checkAddresses([{ address: '1.1.1.1', family: 4 }], url);
  const mixed = ['1.1.1.1', '10.0.0.1'].map((address) => ({ address, family: 4 }));
  for (const addresses of [mixed, []]) {
    assert.throws(
      () => checkAddresses(addresses, url),
      (error: ApiError) => error.status === 403,
    );
  }
});

test('the configuration takes names of hosts, and no addresses', () => {
  const { serve } = configSchema.shape;
  const takes = (host: string) => serve.safeParse({ urlHosts: [host] }).success;
  for (const host of [...HOSTS, 'xn--bcher-kva.example']) assert.ok(takes(host), host);
  for (const host of [
    '*',
    '*.',
    'localhost',
    '127.0.0.1',
    '[::1]',
    'A.org',
    'a.org/',
    'a.org:80',
    'https://a.org',
    '**.a.org',
  ]) {
    assert.not.ok(takes(host), host);
  }
});

test.run();
