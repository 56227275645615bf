import { damaged } from './images.js';
import { type Make, METHODS, PATHS } from './requests.js';

const HEADERS = [
  'Host: a',
  'Host: a',
  'Host:',
  'Content-Length: 5',
  'Content-Length: 99999999999',
  'Content-Length: -1',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip',
  'Expect: 100-continue',
  'Expect: x',
  'Connection: close',
  'Connection: upgrade',
  'Upgrade: h2c',
  'Content-Type: image/jpeg',
  'Content-Type: multipart/form-data; boundary=b',
  'Content-Encoding: gzip',
  'X: \0',
  'X : a',
  ': a',
  ' folded',
  `X: ${'a'.repeat(20_000)}`,
];

/** Bytes for a bare connection: requests wrong in ways that no HTTP client would send. */
export const oddBytes: Make<Buffer> = (random, images) => {
  const method = random.pick([...METHODS, 'get', 'CONNECT', '', 'X'.repeat(50)]);
  const target = random.pick([...PATHS, '*', 'http://[', '/\\', '/ a', `/${'a'.repeat(20_000)}`]);
  const line = `${method} ${target} ${random.pick(['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', ''])}`;
  const headers = Array.from({ length: random.int(0, 6) }, () => random.pick(HEADERS));
  const end = random.pick(['\r\n', '\r\n', '\r\n', '\n', '\r']);
  const head = Buffer.from(`${[line, ...headers].join(end)}${random.chance(0.9) ? end + end : ''}`, 'latin1');
  const body = random.pick([
    Buffer.alloc(0),
    Buffer.from('5\r\nhello\r\n0\r\n\r\n'),
    Buffer.from('zz\r\n'),
    random.pick(images),
  ]);
  // Sometimes so many at once that they have to wait for each other.
  const bytes = Buffer.concat(Array<Buffer>(random.chance(0.05) ? 300 : 1).fill(Buffer.concat([head, body])));
  return random.chance(0.6) ? bytes : damaged([bytes], random);
};
