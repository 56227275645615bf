import { once } from 'node:events';
import type { Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { createAdaptorServer } from '@hono/node-server';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type RealApp, realApp, statusAndCode } from './real_app.js';

const test = suite('protocol');
let real: RealApp;
let server: Server;

test.before(async () => {
  real = await realApp();
  server = createAdaptorServer({ fetch: real.app.fetch }) as Server;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
test.after(async () => {
  server.close();
  server.closeAllConnections();
  await real.close();
});

/** Sends bytes as they are and reads until the server ends the connection. */
async function raw(head: string, ...body: (string | Buffer)[]): Promise<string> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.write(`${head}\r\nHost: a\r\nConnection: close\r\n\r\n`.replaceAll(/\r?\n/g, '\r\n'));
  for (const part of body) socket.write(part);
  return text(socket);
}
const statusOf = (answer: string) => Number(answer.match(/^HTTP\/1\.1 (\d+)/)?.[1]);
const chunk = (data: Buffer) =>
  Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n')]);

test('HEAD has the headers of GET and no body, everywhere', async () => {
  for (const path of [
    '/test_data',
    '/test_result',
    '/service_version',
    '/healthz',
    '/readyz',
    '/openapi.json',
    '/docs',
  ]) {
    const get = await real.app.request(path);
    const head = await real.app.request(path, { method: 'HEAD' });
    assert.is(await head.text(), '');
    assert.is(head.status, 200);
    for (const name of ['content-type', 'etag', 'cache-control'])
      assert.is(head.headers.get(name), get.headers.get(name));
  }
});

test('other methods are refused with those that would do, which OPTIONS tells as well', async () => {
  const allow: Record<string, string> = { '/predict': 'POST, OPTIONS', '/healthz': 'GET, HEAD, OPTIONS' };
  for (const [path, allowed] of Object.entries(allow)) {
    for (const method of ['PUT', 'DELETE', 'PATCH', 'REPORT']) {
      const response = await real.app.request(path, { method });
      assert.is(response.headers.get('allow'), allowed);
      assert.equal(await statusAndCode(response), [405, 'wrong_method']);
    }
    const options = await real.app.request(path, { method: 'OPTIONS' });
    assert.equal([options.status, options.headers.get('allow'), await options.text()], [204, allowed, '']);
  }
  assert.is((await real.app.request('/predict', { method: 'HEAD' })).status, 405);
  assert.equal(await statusAndCode(real.app.request('/nothing', { method: 'OPTIONS' })), [404, 'unknown_path']);
});

test('what did not change is not sent again', async () => {
  for (const path of ['/test_data', '/test_result', '/openapi.json', '/docs/swagger-ui.css']) {
    const first = await real.app.request(path);
    const tag = first.headers.get('etag') ?? '';
    assert.match(tag, /^"[\w.-]+"$/);
    assert.is(first.headers.get('cache-control'), 'no-cache');
    for (const known of [tag, `W/${tag}`, `"other", ${tag}`, '*']) {
      const again = await real.app.request(path, { headers: { 'if-none-match': known } });
      assert.equal([again.status, await again.text(), again.headers.get('etag')], [304, '', tag]);
    }
    assert.is((await real.app.request(path, { headers: { 'if-none-match': '"other"' } })).status, 200);
  }
});

test('a body may come in chunks, and is refused while it grows too large', async () => {
  const head = 'POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked';
  const { image, config } = real;
  const small = [chunk(image.subarray(0, 100)), chunk(image.subarray(100)), '0\r\n\r\n'];
  const answer = await raw(head, ...small);
  assert.is(statusOf(answer), 200);
  assert.match(answer, '"annotations"');
  assert.is(statusOf(await raw(head, chunk(Buffer.alloc(config.maxBytes + 1)), '0\r\n\r\n')), 413);
});

test('a body that was announced too large is refused unread, asked for or not', async () => {
  const length = real.config.maxBytes + 1;
  for (const expect of ['', '\r\nExpect: 100-continue']) {
    const answer = await raw(`POST /predict HTTP/1.1\r\nContent-Length: ${length}${expect}`, '');
    assert.match(answer, /(^|\r\n\r\n)HTTP\/1\.1 413 /);
  }
});

test('Expect: 100-continue is answered before the body comes', async () => {
  const answer = await raw(
    `POST /predict HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: ${real.image.length}`,
    real.image,
  );
  assert.match(answer, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
});

test('a body cut short, two lengths and odd targets do no harm', async () => {
  assert.is(statusOf(await raw('POST /predict HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6', 'x')), 400);
  for (const target of [
    '/%',
    '/%00',
    '/..%2f..%2fetc/passwd',
    '//predict',
    '/docs/../package.json',
    '/docs/%2e%2e/a',
  ]) {
    const status = statusOf(await raw(`GET ${target} HTTP/1.1`));
    assert.ok(status >= 400 && status < 500, `${status} for ${target}`);
  }
  assert.is(statusOf(await raw('GET http://a/healthz HTTP/1.1')), 200);
});

test('names of files keep every letter, and odd parts do no harm', async () => {
  const multipart = (disposition: string) =>
    real.post(
      Buffer.concat([
        Buffer.from(`--b\r\nContent-Disposition: form-data; ${disposition}\r\nContent-Type: image/jpeg\r\n\r\n`),
        real.image,
        Buffer.from('\r\n--b--\r\n'),
      ]),
      'multipart/form-data; boundary=b',
    );
  for (const name of ['Bäume 木 🌲.jpg', '../../etc/passwd', 'a"b.jpg', 'ط.jpg']) {
    const data = new FormData();
    data.append('image', new File([real.image], name));
    assert.is(((await (await real.post(data)).json()) as { file_name: string }).file_name, name);
  }
  for (const disposition of ['name="a"; filename="', 'name="a"; filename*=UTF-8\'\'b', 'filename="a"', 'name=a', '']) {
    const { status } = await multipart(disposition);
    assert.ok(status === 200 || status === 400, `${status} for ${disposition}`);
  }
});

test.run();
