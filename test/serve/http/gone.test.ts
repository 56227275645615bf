import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { postHead, startWire, until, type Wire } from '../wire.js';

const test = suite('clients that go');
const HEADERS_MS = 300;
const REQUEST_MS = 700;
const said: unknown[] = [];
const { error, info } = console;
let wire: Wire;

test.before(async () => {
  wire = await startWire({ headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS });
  for (const name of ['error', 'info'] as const) console[name] = (...all) => said.push(all);
});
test.after(async () => {
  Object.assign(console, { error, info });
  await wire.close();
});

const requests = () => wire.lines().filter(({ msg }) => msg === 'request');

test('a body cut off by its sender is 499, whatever it was to be', async () => {
  const half = wire.image.subarray(0, 1000);
  const part = '--b\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n';
  const bodies: Record<string, [string | Buffer, number | 'chunked']> = {
    'image/jpeg': [half, wire.image.length],
    'application/octet-stream': [`3e8\r\n${'a'.repeat(1000)}\r\n`, 'chunked'],
    'multipart/form-data; boundary=b': [part, 5000],
    'application/json': ['{"image":"', 5000],
  };
  for (const [type, [body, length]] of Object.entries(bodies)) {
    const socket = await wire.open();
    const before = requests().length;
    socket.write(postHead(type, length));
    socket.write(body, () => socket.destroy());
    await until(() => requests().length > before);
    const { status, code, level, err } = requests()[before];
    assert.equal([status, code, level, err], [499, 'client_gone', 'info', undefined], type);
  }
});

test('one that goes while it waits, or while its answer is written, leaves no error either', async () => {
  const whole = Buffer.concat([Buffer.from(postHead('image/jpeg', wire.image.length)), wire.image]);
  const drawn = Buffer.concat([
    Buffer.from(postHead('image/jpeg', wire.image.length, '/predict?format=png')),
    wire.image,
  ]);
  for (const bytes of [whole, drawn, 'GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: a\r\n\r\n']) {
    const socket = await wire.open();
    const before = requests().length;
    socket.write(bytes, () => socket.destroy());
    await until(() => requests().length > before);
    const { status, level } = requests()[before];
    assert.ok([200, 499].includes(status as number) && level === 'info', `${status} ${level}`);
  }
});

test('one that shuts down its sending side has gone, too', async () => {
  const socket = await wire.open();
  const before = requests().length;
  socket.end(Buffer.concat([Buffer.from(postHead('image/jpeg', wire.image.length)), wire.image]));
  await until(() => requests().length > before && socket.closed);
  assert.equal([requests()[before].status, requests()[before].level], [499, 'info']);
});

test('a body that is too slow is 408, one with broken chunks 400', async () => {
  const slow = await wire.ask(`${postHead('image/jpeg', 1000)}half`);
  assert.equal([slow.status, JSON.parse(slow.body).error.code], [408, 'request_timeout']);
  const broken = await wire.ask(`${postHead('image/jpeg', 'chunked')}zz\r\n`);
  assert.equal([broken.status, JSON.parse(broken.body).error.code], [400, 'malformed_request']);
  await until(() => requests().at(-1)?.code === 'malformed_body');
  assert.equal(
    requests()
      .slice(-2)
      .map(({ status, code, level }) => [status, code, level]),
    [
      [408, 'request_timeout', 'info'],
      [400, 'malformed_body', 'info'],
    ],
  );
});

test('nothing of it was an error', async () => {
  assert.equal(
    wire.lines().filter(({ level }) => level === 'error'),
    [],
  );
  assert.equal(said, []);
  assert.is((await fetch(`${wire.url}/readyz`)).status, 200);
});

test.run();
