import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { configSchema } from '../../../src/config/schema.js';
import { type RunningServer, startServer } from '../../../src/serve/server.js';
import { makeBundle } from '../make_bundle.js';

const test = suite('http limits');
const HEADERS_MS = 300;
const REQUEST_MS = 900;
const DEADLINE_MS = 600;
let dir: string;
let server: RunningServer;
let image: Buffer;

test.before(async () => {
  dir = await makeBundle();
  image = await readFile(join(dir, 'test_image.jpg'));
  server = await startServer(dir, {
    ...configSchema.parse({}).serve,
    port: 0,
    logLevel: 'silent',
    headersTimeout: HEADERS_MS,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: 300,
    deadline: DEADLINE_MS,
  });
});
test.after(async () => {
  await server.close();
  await rm(dir, { recursive: true });
});
test.after.each(async () => {
  assert.is((await fetch(`${server.url}/readyz`)).status, 200);
});

async function open(): Promise<Socket> {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  await once(socket, 'connect');
  return socket.on('error', () => {});
}

/** All that the server says until it closes the connection, which it must do by itself. */
async function spoken(socket: Socket): Promise<string> {
  let said = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    said += chunk;
  });
  await once(socket, 'close');
  return said;
}

async function said(request: string | Buffer): Promise<string> {
  const socket = await open();
  const answer = spoken(socket);
  socket.write(request);
  return answer;
}

/** Sends a little at a time until the server has had enough. */
async function trickle(head: string, more: string): Promise<string> {
  const socket = await open();
  const answer = spoken(socket);
  socket.write(head);
  const timer = setInterval(() => socket.write(more), 20);
  const result = await answer;
  clearInterval(timer);
  return result;
}

const POST = 'POST /predict HTTP/1.1\r\nHost: a\r\n';

test('slow headers, a slow body and silence end in time', async () => {
  const answers = await Promise.all([
    trickle('GET /healthz HTTP/1.1\r\nHost: a\r\n', 'X-More: a\r\n'),
    trickle(`${POST}Content-Type: image/jpeg\r\nContent-Length: 100000\r\n\r\n`, 'x'),
    trickle(`${POST}Content-Type: image/jpeg\r\nTransfer-Encoding: chunked\r\n\r\n`, '1\r\nx\r\n'),
    said(''),
  ]);
  assert.match(answers[0], /^HTTP\/1\.1 408 /);
  for (const answer of answers) assert.not.match(answer, ' 200 OK');
});

test('a head that is too large is refused: one long header, many short ones, a long address', async () => {
  for (const request of [
    `GET /healthz HTTP/1.1\r\nHost: a\r\nX-Long: ${'a'.repeat(40_000)}\r\n\r\n`,
    `GET /healthz HTTP/1.1\r\nHost: a\r\n${Array.from({ length: 5000 }, (_, i) => `X-${i}: a\r\n`).join('')}\r\n`,
    `GET /${'a'.repeat(40_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
  ]) {
    assert.match(await said(request), /^HTTP\/1\.1 431 /);
  }
});

test('framing that proxies may read otherwise is refused, and nothing smuggled in it is answered', async () => {
  const smuggled = 'GET /service_version HTTP/1.1\r\nHost: a\r\n\r\n';
  for (const framing of [
    'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n',
    'Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc',
    'Content-Length: +3\r\n\r\nabc',
    'Content-Length: -1\r\n\r\n',
    'Content-Length: 3, 3\r\n\r\nabc',
    'Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n',
    'Transfer-Encoding: chunked\r\n\r\nzz\r\n',
    'Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n',
    'Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n',
    'X: a\rb: c\r\n\r\n',
    'X: a\0b\r\n\r\n',
    ' folded: a\r\n\r\n',
  ]) {
    const answer = await said(`${POST}${framing}${smuggled}`);
    assert.match(answer, /^HTTP\/1\.1 400 /, framing);
    assert.not.match(answer, '"version"', framing);
  }
});

test('what is not HTTP/1.1 as it should be is refused', async () => {
  for (const request of [
    'GET /healthz HTTP/1.1\r\n\r\n',
    'GET /healthz HTTP/9.9\r\nHost: a\r\n\r\n',
    'GET healthz HTTP/1.1\r\nHost: a\r\n\r\n',
    'BREW /healthz HTTP/1.1\r\nHost: a\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    '\x16\x03\x01\x02\0\x01\0',
    '\0'.repeat(100),
    '\r\n\r\nhello\r\n\r\n',
  ]) {
    assert.match(await said(request), /^HTTP\/1\.1 400 /, JSON.stringify(request));
  }
});

test('odd but legal targets are answered by the application or refused, never 5xx', async () => {
  const targets = [
    '*',
    '//',
    '/%',
    '/%00',
    '/%zz',
    '/..%2f..%2fetc/passwd',
    '/../../etc/passwd',
    '/\\..\\',
    '/a?b?c#d',
    '/?__proto__=1',
  ];
  for (const method of ['GET', 'OPTIONS', 'HEAD', 'DELETE', 'TRACE', 'PROPFIND', 'QUERY']) {
    for (const target of [...targets, 'http://evil.example/predict', 'http://[::1', '/page/../../../package.json']) {
      const answer = await said(`${method} ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
      assert.match(answer, /^HTTP\/1\.1 (2|4)\d\d /, `${method} ${target}`);
      assert.not.match(answer, /root:|yolox-node"|node_modules|\/src\//);
    }
  }
  assert.match(await said('CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n'), /^(HTTP\/1\.1 4\d\d |$)/);
});

test('an upgrade to another protocol is not taken up', async () => {
  const headers = 'Host: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\n\r\n';
  assert.match(await said(`GET /healthz HTTP/1.1\r\n${headers}`), /^HTTP\/1\.1 200 /);
  assert.match(
    await said(
      `GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n`,
    ),
    /^HTTP\/1\.1 200 /,
  );
});

test('pipelined requests are answered in order, the last as complete as the first', async () => {
  const paths = Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? '/healthz' : '/nothing'));
  const requests = paths.map((path, i) => `GET ${path} HTTP/1.1\r\nHost: a\r\nX-Request-Id: n${i}\r\n\r\n`);
  const head = `Content-Type: image/jpeg\r\nContent-Length: ${image.length}\r\nConnection: close\r\n\r\n`;
  const answer = await said(Buffer.concat([Buffer.from(`${requests.join('')}${POST}${head}`), image]));
  assert.equal(
    [...answer.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => status),
    [...paths.map((path) => (path === '/healthz' ? '200' : '404')), '200'],
  );
  assert.equal(
    [...answer.matchAll(/^x-request-id: n(\d+)/gim)].map(([, id]) => Number(id)),
    paths.map((_, i) => i),
  );
  assert.match(answer, '"annotations":[');
});

test('a client that does not read its answers loses its connection', async () => {
  const path = '/docs/swagger-ui-bundle.js';
  const whole = (await (await fetch(`${server.url}${path}`)).arrayBuffer()).byteLength;
  const requests = 40;
  const socket = await open();
  const closed = once(socket, 'close');
  socket.pause();
  socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(requests));
  // Longer than the connection may stand still; a server that waits for ever would then send all the rest.
  await sleep(3 * (REQUEST_MS + DEADLINE_MS));
  let bytes = 0;
  socket.on('data', (chunk) => {
    bytes += chunk.length;
  });
  socket.resume();
  await closed;
  assert.ok(bytes < requests * whole, `${bytes} bytes`);
});

test('an idle connection is closed', async () => {
  assert.match(await said('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n'), /^HTTP\/1\.1 200 /);
});

test.run();
