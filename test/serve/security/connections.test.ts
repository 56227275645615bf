import { once } from 'node:events';
import type { Socket } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { postHead, startWire, until, type Wire, type WireAnswer } from '../wire.js';

const test = suite('connections');
const [ME, OTHER] = ['127.0.0.1', '127.0.0.2'];
const PROXY = '127.0.0.9';
const ALL = 40;
const SHARE = ALL / 4;
let wire: Wire;
let held: Socket[] = [];

test.before(async () => {
  wire = await startWire({ maxConnections: ALL, trustedProxies: [PROXY] });
});
test.after(() => wire.close());
test.after.each(async () => {
  for (const socket of held) socket.destroy();
  held = [];
  await until(async () => (await predict(ME)).status === 200);
});

/** Opens connections that have sent this and no more. */
async function hold(count: number, from: string, sent: string): Promise<Socket[]> {
  const opened = await Promise.all(Array.from({ length: count }, () => wire.open(from)));
  for (const socket of opened) socket.resume().write(sent);
  held.push(...opened);
  return opened;
}

const isOpen = ({ destroyed, readableEnded }: Socket) => !destroyed && !readableEnded;
const predict = (from: string) =>
  wire.ask(
    Buffer.concat([
      Buffer.from(postHead('image/jpeg', wire.image.length).replace('\r\n', '\r\nConnection: close\r\n')),
      wire.image,
    ]),
    from,
  );
const probe = (from: string, path = '/readyz') => wire.ask(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`, from);
const codeOf = ({ status, body }: WireAnswer) => [status, JSON.parse(body).error?.code];
const body = postHead('image/jpeg', 100_000).replace('\r\n', '\r\nExpect: 100-continue\r\n');

/** Holds connections with a request under way, whose body does not come. */
async function holdBusy(count: number, from: string): Promise<Socket[]> {
  const opened = await hold(count, from, body);
  // The service has the request once it asks for the body.
  await Promise.all(opened.map((socket) => once(socket, 'data')));
  return opened;
}

for (const [what, sent] of [
  ['silent connections', ''],
  ['connections that send their head slowly', 'GET / HTTP/1.1\r\nHost:'],
  ['idle connections', 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n'],
] as const) {
  test(`${what} of one client lock out neither others nor itself`, async () => {
    const first = await hold(SHARE, OTHER, sent);
    const more = await hold(5 * ALL, OTHER, sent);
    assert.is((await probe(ME)).status, 200);
    assert.is((await predict(ME)).status, 200);
    assert.is((await predict(OTHER)).status, 200);
    await until(() => [...first, ...more].filter(isOpen).length < SHARE);
    assert.is(first.filter(isOpen).length, 0);
  });
}

test('bodies that come slowly take no more than their client’s share, and make way when they are too slow', async () => {
  await holdBusy(SHARE, OTHER);
  assert.equal(codeOf(await predict(OTHER)), [503, 'too_many_connections']);
  const { status, headers } = await probe(OTHER);
  assert.equal([status, headers.get('connection')], [200, 'close']);
  assert.is((await predict(ME)).status, 200);
  await until(async () => (await predict(OTHER)).status === 200);
});

test('when all connections are busy, probes are answered and the rest is told', async () => {
  for (const client of ['127.0.0.3', '127.0.0.4', '127.0.0.5', '127.0.0.6']) await holdBusy(SHARE, client);
  const refused = await predict(ME);
  assert.equal(codeOf(refused), [503, 'too_many_connections']);
  assert.equal([refused.headers.get('retry-after'), refused.headers.get('connection')], ['1', 'close']);
  // Not even more connections than are kept for probes shut them out.
  await hold(100, OTHER, '');
  for (const path of ['/readyz', '/livez', '/healthz?a=b']) assert.is((await probe(ME, path)).status, 200, path);
  for (const socket of held) socket.destroy();
  await until(async () => (await predict(ME)).status === 200);
  const metrics = await (await fetch(`${wire.url}/metrics`)).text();
  assert.match(metrics, /^yolox_connections_refused_total [1-9]/m);
});

test('a trusted proxy may have all connections', async () => {
  const opened = await holdBusy(2 * SHARE, PROXY);
  assert.is((await predict(PROXY)).status, 200);
  assert.is(opened.filter(isOpen).length, 2 * SHARE);
});

test('many requests at once on a connection: some are answered in order, then one is refused', async () => {
  const socket = await wire.open(OTHER);
  held.push(socket);
  let said = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    said += text;
  });
  const closed = once(socket, 'close');
  socket.write('GET /livez HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(50_000));
  // Whoever comes meanwhile is not held up by all of them.
  assert.is((await predict(ME)).status, 200);
  await closed;
  const statuses = [...said.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => status);
  assert.ok(statuses.length <= 102, `${statuses.length} answers`);
  assert.is(statuses.pop(), '429');
  assert.ok(statuses.length > 0 && statuses.every((status) => status === '200'));
  assert.match(said, '"too_many_requests"');
});

test.run();
