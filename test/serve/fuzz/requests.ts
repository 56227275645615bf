import type { Random } from '../../../src/base/random.js';
import { damaged } from './images.js';

/** A request for an HTTP client. */
export interface FuzzRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: Buffer;
}

/** Makes one thing, from its stream of random numbers and whole images. */
export type Make<T> = (random: Random, images: readonly Buffer[]) => T;

const TYPES = [
  'image/jpeg',
  'image/png',
  'application/octet-stream',
  'image/',
  'IMAGE/x; q="',
  'text/plain',
  'a',
  ';',
  '',
];
export const PATHS = [
  '/predict',
  '/',
  '/test_data',
  '/test_result',
  '/service_version',
  '/metrics',
  '/readyz',
  '/docs',
  '/openapi.json',
  '/admin',
  '/admin/versions',
];
const NAMES = [
  'conf',
  'iou',
  'max',
  'classes',
  'format',
  'image_id',
  '__proto__',
  'constructor',
  'conf[]',
  'conf[a]',
  '',
];
const VALUES = [
  '0',
  '1',
  '-1',
  '0.5',
  '1e999',
  'NaN',
  'null',
  'json',
  'png',
  'coco',
  '1,2,3',
  ',,,',
  'star',
  '%00',
  '%ff%fe',
  '__proto__',
  '[]',
  '{}',
  '9'.repeat(400),
  "'",
  '<script>',
];
const ENCODINGS = ['binary', 'base64', 'quoted-printable', 'x'];
const SEGMENTS = [
  '..',
  '.',
  '%2e%2e',
  '%2f',
  '%5c',
  '%00',
  '%',
  '%zz',
  'predict',
  'page',
  'docs',
  'admin',
  'etc',
  'passwd',
  '',
  '~',
  '*',
  ';a=b',
  'ä',
];
export const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD', 'PROPFIND', 'TRACE'];

/** Printable text with a few characters that mean something to some parser. */
function oddText(random: Random, length: number): string {
  const odd = ['"', "'", '\\', '/', '%', ';', ',', '=', '{', '}', '[', ']', '<', '>', '\t', ' '];
  const letter = () => (random.chance(0.4) ? random.pick(odd) : String.fromCharCode(random.int(33, 126)));
  return Array.from({ length: random.int(0, length) }, letter).join('');
}

function oddQuery(random: Random): string {
  const pair = () => `${random.pick(NAMES)}${random.chance(0.9) ? '=' : ''}${random.pick(VALUES)}`;
  const pairs = Array.from({ length: random.int(1, 4) }, pair);
  return `?${pairs.join(random.pick(['&', '&&', ';']))}`;
}

const image: Make<FuzzRequest> = (random, images) => ({
  method: 'POST',
  path: `/predict${random.chance(0.1) ? '?format=png' : ''}`,
  headers: { 'content-type': random.chance(0.9) ? 'image/jpeg' : random.pick(TYPES) },
  body: damaged(images, random),
});

const query: Make<FuzzRequest> = (random, images) => ({
  method: 'POST',
  path: `/predict${oddQuery(random)}`,
  headers: { 'content-type': 'image/jpeg' },
  body: random.pick(images),
});

const multipart: Make<FuzzRequest> = (random, images) => {
  const boundary = random.pick(['b', '----WebKitFormBoundary', 'a"b', ' ', 'x'.repeat(200)]);
  const part = () => {
    const name = random.pick(['image', '', '__proto__', 'a\r\nX: b', '"', oddText(random, 20)]);
    const file = random.pick([
      `; filename="${oddText(random, 30)}"`,
      '; filename="../../a.jpg"',
      "; filename*=UTF-8''%00%zz",
      `; filename*=${random.pick(['utf-8', 'utf-16', 'x', ''])}''${oddText(random, 20)}`,
      '; filename=a b;c.jpg',
      '; filename="a',
      '; filename="a\\"',
      '',
    ]);
    const type = random.chance(0.5)
      ? `\r\nContent-Type: ${random.pick([...TYPES, 'multipart/mixed; boundary=b'])}`
      : '';
    const encoding = random.chance(0.1) ? `\r\nContent-Transfer-Encoding: ${random.pick(ENCODINGS)}` : '';
    const field = random.chance(0.8) ? `name="${name}"` : `name=${name}`;
    const disposition = random.chance(0.9) ? `Content-Disposition: form-data; ${field}${file}` : 'X: a';
    const end = random.chance(0.95) ? '\r\n\r\n' : random.pick(['\n\n', '\r\n', '']);
    const head = `--${boundary}\r\n${disposition}${type}${encoding}${end}`;
    return Buffer.concat([Buffer.from(head), damaged(images, random), Buffer.from('\r\n')]);
  };
  const end = Buffer.from(random.chance(0.8) ? `--${boundary}--\r\n` : '');
  const before = Buffer.from(
    random.chance(0.9) ? '' : random.pick(['\r\n', 'preamble\r\n', '--', oddText(random, 30)]),
  );
  const whole = Buffer.concat([before, ...Array.from({ length: random.pick([0, 1, 1, 2, 3, 40]) }, part), end]);
  const declared = random.pick([
    `; boundary=${boundary}`,
    `; boundary="${boundary}"`,
    '; boundary=other',
    '; boundary=',
    '',
  ]);
  return {
    method: 'POST',
    path: '/predict',
    headers: { 'content-type': `multipart/form-data${declared}` },
    body: random.chance(0.7) ? whole : damaged([whole], random),
  };
};

const json: Make<FuzzRequest> = (random, images) => {
  const base64 = () => {
    const text = damaged(images, random).toString('base64');
    return random.pick([
      text,
      text.slice(1),
      `data:image/png;base64,${text}`,
      `data:${oddText(random, 10)},${text}`,
      oddText(random, 50),
    ]);
  };
  const value = () =>
    random.pick([
      base64,
      () => [base64(), base64()],
      () => [[]],
      () => null,
      () => 1e308,
      () => ({ a: 1 }),
      () => [],
    ])();
  const url = random.pick([
    'http://127.0.0.1/',
    'http://[::1]/',
    'file:///etc/passwd',
    'http://u:p@a.example',
    'http://169.254.169.254/',
    'gopher://a',
    'http://0x7f.1',
    oddText(random, 20),
  ]);
  const key = random.pick(['image', 'images', 'url', '__proto__', 'constructor', oddText(random, 5)]);
  const depth = random.pick([1, 100, 20_000]);
  const nested = `{"images":${'['.repeat(depth)}${']'.repeat(random.pick([0, depth]))}}`;
  const plain = `{${JSON.stringify(key)}:${JSON.stringify(key === 'url' ? url : value())}}`;
  const twice = `${plain.slice(0, -1)},${plain.slice(1)}`;
  const body = random.pick([plain, plain, plain, plain, plain, plain, plain, plain, nested, twice]);
  const bytes = Buffer.from(body);
  return {
    method: 'POST',
    path: '/predict',
    headers: {
      'content-type': random.pick(['application/json', 'application/json; charset=utf-16', 'application/json;']),
    },
    body: random.chance(0.7) ? bytes : damaged([bytes], random),
  };
};

const place: Make<FuzzRequest> = (random) => {
  const odd = `/${Array.from({ length: random.int(1, 5) }, () => encodeURI(random.pick(SEGMENTS)).replaceAll('%25', '%')).join('/')}`;
  const method = random.pick(METHODS);
  return {
    method,
    path: `${random.chance(0.5) ? random.pick(PATHS) : odd}${random.chance(0.3) ? oddQuery(random) : ''}`,
    headers: {
      'x-request-id': oddText(random, 300).trim(),
      accept: oddText(random, 40).trim(),
      origin: oddText(random, 20).trim(),
      'if-none-match': random.pick(['*', '""', 'W/"a', oddText(random, 40).trim()]),
      'accept-encoding': random.pick(['gzip', 'br;q=1', '*;q=0', oddText(random, 20).trim()]),
      authorization: oddText(random, 100).trim(),
      traceparent: oddText(random, 55).trim(),
      range: random.pick(['bytes=0-', 'bytes=-1', 'bytes=9-1', oddText(random, 10).trim()]),
    },
    body:
      random.chance(0.2) && !['GET', 'HEAD', 'TRACE'].includes(method) ? Buffer.from(oddText(random, 100)) : undefined,
  };
};

/** How often which kind comes: damaged images are the service's daily bread. */
const KINDS: readonly Make<FuzzRequest>[] = [
  image,
  image,
  image,
  image,
  image,
  query,
  multipart,
  multipart,
  json,
  place,
  place,
];

/** A request that some client might send, wrong in one of many ways. */
export const oddRequest: Make<FuzzRequest> = (random, images) => random.pick(KINDS)(random, images);
