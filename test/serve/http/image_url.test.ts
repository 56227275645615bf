import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ApiError } from '../../../src/serve/api_error.js';
import { ImageUrls, type Network, pinned } from '../../../src/serve/http/image_url.js';

const test = suite('image_url');
const options = { urlHosts: ['http://images.example.org'], urlTimeout: 5_000, maxBytes: 1000 };
const never = new AbortController().signal;
const LOCAL = { address: '127.0.0.1', family: 4 };
const PUBLIC = { address: '93.184.215.14', family: 4 };
let server: Server;
let asked: string[] = [];
let closed = 0;

test.before(async () => {
  server = createServer((request, response) => {
    asked.push(`${request.headers.host}${request.url}`);
    response.on('close', () => closed++);
    const path = (request.url ?? '').slice(1);
    const image = { 'content-type': 'image/jpeg' };
    if (path === 'a%20b.jpg') response.writeHead(200, image).end('image');
    else if (path === 'redirect') response.writeHead(302, { ...image, location: 'http://127.0.0.1/' }).end('x');
    else if (path === 'missing') response.writeHead(404, image).end('x');
    else if (path === 'page') response.writeHead(200, { 'content-type': 'text/html' }).end('<html>');
    else if (path === 'untyped') response.writeHead(200).end('x');
    else if (path === 'store') response.writeHead(200, { 'content-type': 'binary/octet-stream' }).end('x');
    else if (path === 'gzip') response.writeHead(200, { ...image, 'content-encoding': 'gzip' }).end('x');
    else if (path === 'declared') response.writeHead(200, { ...image, 'content-length': 1001 }).write('x');
    else if (path === 'endless') {
      response.writeHead(200, image);
      const more = () => void (response.destroyed || response.write(Buffer.alloc(400), more));
      more();
    } else if (path === 'stuck') response.writeHead(200, image).write('x');
    else if (path === 'cut')
      response.writeHead(200, { ...image, 'content-length': 100 }).write('x', () => response.destroy());
    // Anything else is never answered.
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
test.before.each(() => {
  asked = [];
  closed = 0;
});
test.after(() => {
  server.closeAllConnections();
  server.close();
});

/** A network in which the name is public, and the machine behind it the local server. */
function network(resolve: Network['resolve'] = async () => [PUBLIC]): Network & { connected: string[] } {
  const connected: string[] = [];
  return {
    connected,
    resolve,
    connect(addresses) {
      connected.push(...addresses.map(({ address }) => address));
      return { lookup: pinned([LOCAL]), port: (server.address() as AddressInfo).port, agent: false };
    },
  };
}

const fetchFrom = (path: string, overrides: Partial<typeof options> = {}, net: Network = network(), signal = never) =>
  new ImageUrls({ ...options, ...overrides }, net).fetch(`http://images.example.org/${path}`, signal);

async function refusal(work: Promise<unknown>): Promise<[number, string, unknown]> {
  const error = await work.then(
    () => assert.unreachable('it was fetched'),
    (reason: unknown) => reason,
  );
  assert.instance(error, ApiError, String(error));
  const { status, body: reason } = error as ApiError;
  return [status, reason.code, reason.received];
}

test('an image comes with the name of its file, from the address that was checked', async () => {
  const resolved: string[] = [];
  const net = network(async (host) => {
    resolved.push(host);
    return [PUBLIC];
  });
  const { bytes, name } = await fetchFrom('a%20b.jpg', {}, net);
  assert.equal([bytes.toString(), name], ['image', 'a%20b.jpg']);
  assert.equal([resolved, net.connected], [['images.example.org'], [PUBLIC.address]]);
  const { port } = server.address() as AddressInfo;
  assert.equal(asked, [`images.example.org:${port}/a%20b.jpg`]);
});

test('a name that stands for an inner address is not connected to', async () => {
  for (const address of ['127.0.0.1', '169.254.169.254', '::1', '::ffff:10.0.0.1']) {
    const net = network(async () => [PUBLIC, { address, family: address.includes(':') ? 6 : 4 }]);
    assert.equal((await refusal(fetchFrom('a%20b.jpg', {}, net))).slice(0, 2), [403, 'url_forbidden']);
    assert.equal([net.connected, asked], [[], []]);
  }
});

test('the resolver of the system is believed no more: a name of this machine is refused', async () => {
  const urls = new ImageUrls({ ...options, urlHosts: ['http://localhost'] });
  assert.equal((await refusal(urls.fetch('http://localhost/a', never))).slice(0, 2), [403, 'url_forbidden']);
});

test('a URL that is not allowed is not even resolved', async () => {
  const net = network(() => assert.unreachable('resolved') as never);
  const urls = new ImageUrls(options, net);
  assert.equal((await refusal(urls.fetch('http://evil.example/a', never))).slice(0, 2), [403, 'url_forbidden']);
  assert.equal((await refusal(urls.fetch('no url', never))).slice(0, 2), [400, 'bad_url']);
  assert.is((await refusal(fetchFrom('a', { urlHosts: [] }, net)))[0], 403);
});

test('an image needs no content type of one: its bytes decide', async () => {
  for (const [path, origin] of [
    ['page', 'images.example.org sent it as text/html.'],
    ['untyped', 'images.example.org sent it as no content type.'],
    ['store', 'images.example.org sent it as binary/octet-stream.'],
  ]) {
    const upload = await fetchFrom(path);
    assert.is(upload.origin, origin);
    assert.ok(upload.bytes.length > 0);
  }
});

test('what is no answer with an image is refused, and says what came', async () => {
  assert.equal(await refusal(fetchFrom('redirect')), [422, 'unfetchable', 'status 302, to http://127.0.0.1/']);
  assert.equal(await refusal(fetchFrom('missing')), [422, 'unfetchable', 'status 404']);
  assert.equal(await refusal(fetchFrom('cut')), [422, 'unfetchable', 'an answer that was cut off']);
  assert.equal(await refusal(fetchFrom('gzip')), [422, 'unfetchable', 'an answer encoded as gzip']);
  assert.is(asked.length, 4);
});

test('too large an image is cut off, declared or not', async () => {
  assert.equal((await refusal(fetchFrom('declared'))).slice(0, 2), [413, 'too_large']);
  assert.equal((await refusal(fetchFrom('endless'))).slice(0, 2), [413, 'too_large']);
  while (closed < 2) await new Promise((resolve) => setTimeout(resolve, 5));
});

test('a host that is slow at any stage is given up in time', async () => {
  const urlTimeout = 100;
  const unresolved = network(() => new Promise(() => {}));
  assert.equal((await refusal(fetchFrom('a', { urlTimeout }, unresolved))).slice(0, 2), [422, 'unfetchable']);
  const received = 'nothing whole within 100 ms';
  assert.equal(await refusal(fetchFrom('silent', { urlTimeout })), [422, 'unfetchable', received]);
  assert.equal((await refusal(fetchFrom('stuck', { urlTimeout }))).slice(0, 2), [422, 'unfetchable']);
});

test('a name that does not resolve, and a host that does not listen, are said to give nothing', async () => {
  const unknown = network(() => Promise.reject(Object.assign(new Error(), { code: 'ENOTFOUND' })));
  assert.equal(await refusal(fetchFrom('a', {}, unknown)), [422, 'unfetchable', 'no address of that name']);
  const deaf: Network = { ...network(), connect: () => ({ lookup: pinned([LOCAL]), port: 1, agent: false }) };
  assert.equal(await refusal(fetchFrom('a', {}, deaf)), [422, 'unfetchable', 'ECONNREFUSED']);
});

test('https speaks TLS: a host without it gives nothing', async () => {
  const urls = new ImageUrls(options, network());
  const work = urls.fetch('https://images.example.org/a%20b.jpg', never);
  assert.equal((await refusal(work)).slice(0, 2), [422, 'unfetchable']);
  assert.equal(asked, []);
});

test('a client that leaves takes its fetch along, and only so many run at once', async () => {
  const client = new AbortController();
  const urls = new ImageUrls(options, network());
  const url = 'http://images.example.org/silent';
  const running = Array.from({ length: 16 }, () => refusal(urls.fetch(url, client.signal)));
  assert.equal((await refusal(urls.fetch(url, never))).slice(0, 2), [503, 'overloaded']);
  client.abort();
  for (const answer of await Promise.all(running)) assert.equal(answer.slice(0, 2), [499, 'client_gone']);
  assert.is((await urls.fetch('http://images.example.org/a%20b.jpg', never)).bytes.length, 'image'.length);
});

test.run();
