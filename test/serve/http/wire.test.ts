import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startWire, until, type Wire } from '../wire.js';

const test = suite('on the wire');
let wire: Wire;

test.before(async () => {
  wire = await startWire();
});
test.after(() => wire.close());

/** Status and code of the refusal of bytes, whose shape is that of every other. */
async function refusal(request: string): Promise<[number, string]> {
  const { status, headers, body } = await wire.ask(request);
  assert.is(headers.get('content-type'), 'application/json', request.slice(0, 80));
  const { error } = JSON.parse(body) as { error: { code: string; message: string } };
  assert.type(error.message, 'string');
  return [status, error.code];
}

test('probes in HTTP/1.0 need no Host, and may keep their connection', async () => {
  for (const path of ['/readyz', '/livez', '/healthz']) {
    const { status, headers } = await wire.ask(`GET ${path} HTTP/1.0\r\n\r\n`);
    assert.equal([status, headers.get('connection')], [200, 'close'], path);
  }
  const kept = await wire.ask('GET /readyz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
  assert.equal([kept.status, kept.headers.get('connection')], [200, 'keep-alive']);
  assert.is((await wire.ask('HEAD /readyz HTTP/1.0\r\n\r\n')).status, 200);
  const length = wire.image.length;
  const head = `POST /predict HTTP/1.0\r\nContent-Type: image/jpeg\r\nContent-Length: ${length}\r\n\r\n`;
  assert.is((await wire.ask(Buffer.concat([Buffer.from(head), wire.image]))).status, 200);
});

test('HTTP/1.1 without a Host is refused; an empty one is taken', async () => {
  assert.equal(await refusal('GET /readyz HTTP/1.1\r\n\r\n'), [400, 'no_host']);
  assert.is((await wire.ask('GET /readyz HTTP/1.1\r\nHost:\r\n\r\n')).status, 200);
});

test('what never reaches the application is refused in the same shape, and counted', async () => {
  assert.equal(await refusal('hello\r\n\r\n'), [400, 'malformed_request']);
  assert.equal(await refusal(`GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`), [431, 'head_too_large']);
  assert.equal(await refusal('GET / HTTP/1.1\r\nHost: a b\r\n\r\n'), [400, 'bad_request']);
  assert.equal(await refusal('GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n'), [400, 'bad_request']);
  assert.equal(await refusal('POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n'), [417, 'unknown_expectation']);
  const both = 'POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
  assert.equal(await refusal(both), [400, 'malformed_request']);
  const counted = async (status: number) =>
    new RegExp(`yolox_responses_total\\{route="other",status="${status}"\\} [1-9]`).test(
      await (await fetch(`${wire.url}/metrics`)).text(),
    );
  for (const status of [400, 417, 431]) await until(() => counted(status));
});

test('a body of another length than announced is never taken for an image', async () => {
  const post = (framing: string, body: string) => `POST /predict HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n${body}`;
  const chunked = 'Content-Type: image/jpeg\r\nTransfer-Encoding: chunked';
  assert.is((await refusal(post(chunked, '5\r\nhello!\r\n0\r\n\r\n')))[0], 400);
  assert.is((await refusal(post(chunked, 'fffffffffffffffff\r\n')))[0], 400);
  assert.equal(await refusal(post('Content-Type: image/jpeg\r\nContent-Length: 0', '')), [400, 'empty_body']);
  assert.equal(await refusal(post('Content-Type: image/jpeg', '')), [400, 'empty_body']);
  const half = await wire.open();
  const answer = new Promise<string>((resolve) => half.once('data', (data) => resolve(String(data))));
  half.end(post('Content-Type: image/jpeg\r\nContent-Length: 10', 'hello'));
  assert.match(await answer, /^HTTP\/1\.1 400 .*"cut_off"/s);
});

test('compressed bodies, wrong methods and near misses of a path are refused in words', async () => {
  for (const encoding of ['gzip', 'GZIP', 'br', 'identity, gzip']) {
    const headers = { 'content-encoding': encoding, 'content-type': 'image/jpeg' };
    const response = await fetch(`${wire.url}/predict`, { method: 'POST', body: 'a', headers });
    const { error } = (await response.json()) as { error: { code: string; hint: string } };
    assert.equal([response.status, error.code], [415, 'unsupported_encoding'], encoding);
    assert.match(error.hint, 'as it is');
  }
  for (const [path, hint] of [
    ['/predict/', 'Did you mean "/predict"?'],
    ['/Predict', 'Did you mean "/predict"?'],
    ['/health', 'Did you mean "/healthz"?'],
  ]) {
    const response = await fetch(`${wire.url}${path}`, { method: 'POST' });
    const { error } = (await response.json()) as { error: { code: string; hint: string } };
    assert.equal([response.status, error.code, error.hint], [404, 'unknown_path', hint]);
  }
  const { headers } = await fetch(`${wire.url}/predict`, { method: 'OPTIONS' });
  assert.is(headers.get('allow'), 'POST, OPTIONS');
});

test.run();
