import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { sha256 } from '../../../src/base/files.js';
import { download } from '../../../src/data/sources/download.js';
import { messageFrom } from './make_coco.js';

interface Context {
  dir: string;
  url: string;
  server: Server;
  /** Requests so far: their Range and If-Range. */
  asked: (string | undefined)[][];
  answer(request: IncomingMessage, response: ServerResponse): void;
}

const test = suite<Context>('download');

const CONTENT = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 31) % 251));
const HASH = sha256(CONTENT);
const QUICK = { retryMs: 1 };

test.before.each(async (context) => {
  context.dir = mkdtempSync(join(tmpdir(), 'download-'));
  context.asked = [];
  context.server = createServer((request, response) => {
    context.asked.push([request.headers.range, request.headers['if-range'] as string | undefined]);
    context.answer(request, response);
  });
  await new Promise<void>((done) => void context.server.listen(0, '127.0.0.1', done));
  context.url = `http://127.0.0.1:${(context.server.address() as AddressInfo).port}/sets/val.zip`;
});
test.after.each(({ dir, server }) => {
  server.closeAllConnections();
  server.close();
  rmSync(dir, { recursive: true });
});

/** Serves `content` as a server with ranges does. */
function serve(
  request: IncomingMessage,
  response: ServerResponse,
  content: Buffer,
  etag: string,
  send = (rest: Buffer): void => void response.end(rest),
): void {
  const { range, 'if-range': ifRange } = request.headers;
  const start = range && ifRange === etag ? Number(/bytes=(\d+)-/.exec(range)?.[1]) : 0;
  if (start >= content.length) {
    response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
    return;
  }
  const rest = content.subarray(start);
  response.writeHead(start > 0 ? 206 : 200, {
    etag,
    'content-length': rest.length,
    ...(start > 0 && { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` }),
  });
  send(rest);
}

/** Sends the first `bytes` and, once they are on the client's disk, breaks the connection. */
function cutAfter(response: ServerResponse, { dir }: Context, bytes: number): (rest: Buffer) => void {
  const size = (): number =>
    readdirSync(dir)
      .filter((name) => name.endsWith('.part'))
      .reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);
  return async (rest) => {
    const goal = size() + bytes;
    response.write(rest.subarray(0, bytes));
    while (size() < goal) await sleep(5);
    response.destroy();
  };
}

const finished = ({ dir }: Context): string[] => readdirSync(dir).sort();

test('a file comes whole, with its record, and once', async (context) => {
  context.answer = (request, response) => serve(request, response, CONTENT, '"1"');
  const { path, sha256: hash } = await download(context.url, context.dir, QUICK);
  assert.is(hash, HASH);
  assert.ok(readFileSync(path).equals(CONTENT));
  assert.match(path, /-val\.zip$/);
  assert.equal(
    finished(context),
    [path, `${path}.json`].map((name) => name.slice(context.dir.length + 1)),
  );
  assert.equal(JSON.parse(readFileSync(`${path}.json`, 'utf8')), {
    url: context.url,
    version: '"1"',
    bytes: CONTENT.length,
    sha256: HASH,
  });
  assert.equal(await download(context.url, context.dir, { ...QUICK, sha256: HASH }), { path, sha256: HASH });
  assert.is(context.asked.length, 1);
});

test('a cut connection is taken up where it broke', async (context) => {
  context.answer = (request, response) => {
    const cut = [100_000, 150_000][context.asked.length - 1];
    serve(request, response, CONTENT, '"1"', cut ? cutAfter(response, context, cut) : undefined);
  };
  const { path } = await download(context.url, context.dir, { ...QUICK, sha256: HASH });
  assert.ok(readFileSync(path).equals(CONTENT));
  assert.equal(context.asked, [
    [undefined, undefined],
    ['bytes=100000-', '"1"'],
    ['bytes=250000-', '"1"'],
  ]);
});

test('another run goes on with what an interrupted one left, even all of it', async (context) => {
  context.answer = (request, response) => serve(request, response, CONTENT, '"1"');
  const { path } = await download(context.url, context.dir, QUICK);
  for (const bytes of [120_000, CONTENT.length]) {
    rmSync(path);
    rmSync(`${path}.json`);
    writeFileSync(`${path}.part`, CONTENT.subarray(0, bytes));
    writeFileSync(`${path}.part.json`, JSON.stringify({ url: context.url, validator: '"1"' }));
    await download(context.url, context.dir, QUICK);
    assert.ok(readFileSync(path).equals(CONTENT));
    assert.equal(context.asked.at(-1), [`bytes=${bytes}-`, '"1"']);
  }
});

test('a file that changed on the server is not mixed with the old part', async (context) => {
  const changed = Buffer.from(CONTENT).reverse();
  context.answer = (request, response) =>
    context.asked.length === 1
      ? serve(request, response, CONTENT, '"1"', cutAfter(response, context, 90_000))
      : serve(request, response, changed, '"2"');
  const { path, sha256: hash } = await download(context.url, context.dir, QUICK);
  assert.is(hash, sha256(changed));
  assert.ok(readFileSync(path).equals(changed));
});

test('without a validator a broken download starts over', async (context) => {
  context.answer = (_, response) => {
    response.writeHead(200, { 'content-length': CONTENT.length, etag: 'W/"weak"' });
    if (context.asked.length === 1) cutAfter(response, context, 1000)(CONTENT);
    else response.end(CONTENT);
  };
  assert.is((await download(context.url, context.dir, QUICK)).sha256, HASH);
  assert.equal(context.asked, [
    [undefined, undefined],
    [undefined, undefined],
  ]);
});

test('a wrong checksum is an error and leaves no file behind', async (context) => {
  context.answer = (request, response) => serve(request, response, CONTENT, '"1"');
  const message = await messageFrom(download(context.url, context.dir, { ...QUICK, sha256: 'a'.repeat(64) }));
  assert.match(
    message,
    new RegExp(`^UserError: ${context.url}: expected a file with SHA-256 a{64}, received "${HASH}"`),
  );
  assert.equal(finished(context), []);
});

test('a kept file of another checksum is fetched again', async (context) => {
  let content = CONTENT;
  context.answer = (request, response) => serve(request, response, content, sha256(content));
  await download(context.url, context.dir, QUICK);
  content = Buffer.from('the new version');
  const { path } = await download(context.url, context.dir, { ...QUICK, sha256: sha256(content) });
  assert.is(readFileSync(path, 'utf8'), 'the new version');
  assert.is(statSync(path).size, content.length);
});

test('a kept file is asked about once, and fetched again when the server has another version', async (context) => {
  let [content, etag] = [CONTENT, 'W/"1"'];
  context.answer = (request, response) =>
    request.headers['if-none-match'] === etag
      ? void response.writeHead(304).end()
      : serve(request, response, content, etag);
  const first = await download(context.url, context.dir, QUICK);
  assert.equal(await download(context.url, context.dir, QUICK), first);
  assert.is(context.asked.length, 2);
  [content, etag] = [Buffer.from('the new version'), 'W/"2"'];
  // The same file at another address, as a process asks about each address once.
  assert.equal(await download(context.url, context.dir, QUICK), first);
  const elsewhere = `${context.url}?again`;
  await download(elsewhere, context.dir, QUICK);
  [content, etag] = [CONTENT, 'W/"3"'];
  assert.is((await download(elsewhere, context.dir, QUICK)).sha256, HASH);
});

test('a kept file stays in use when the server does not answer', async (context) => {
  context.answer = (request, response) => serve(request, response, CONTENT, '"1"');
  const first = await download(context.url, context.dir, QUICK);
  context.answer = (_, response) => void response.writeHead(500).end();
  assert.equal(await download(context.url, context.dir, QUICK), first);
});

test('a kept file that was damaged is fetched again', async (context) => {
  context.answer = (request, response) => serve(request, response, CONTENT, '"1"');
  const { path } = await download(context.url, context.dir, QUICK);
  const flipped = Buffer.from(CONTENT);
  flipped[1000] ^= 1;
  writeFileSync(path, flipped);
  await download(context.url, context.dir, { ...QUICK, sha256: HASH });
  assert.ok(readFileSync(path).equals(CONTENT));
});

test('downloads of one file at the same time fetch it once', async (context) => {
  context.answer = (request, response) => serve(request, response, CONTENT, '"1"');
  const options = { ...QUICK, sha256: HASH };
  const all = await Promise.all(Array.from({ length: 5 }, () => download(context.url, context.dir, options)));
  assert.is(new Set(all.map(({ path }) => path)).size, 1);
  assert.is(context.asked.length, 1);
});

test('404 is an error at once, 503 is tried again', async (context) => {
  context.answer = (_, response) => void response.writeHead(404).end();
  assert.match(
    await messageFrom(download(context.url, context.dir, QUICK)),
    /^UserError: http.*received "404 Not Found"/,
  );
  assert.is(context.asked.length, 1);
  context.answer = (request, response) =>
    context.asked.length < 4 ? void response.writeHead(503).end() : serve(request, response, CONTENT, '"1"');
  assert.is((await download(context.url, context.dir, QUICK)).sha256, HASH);
});

test('a server out of reach is an error after some tries', async (context) => {
  context.server.close();
  context.server.closeAllConnections();
  const message = await messageFrom(download(context.url, context.dir, QUICK));
  assert.match(message, /^UserError: http.*expected a server that answers: .*ECONNREFUSED/);
});

test('a server that closes its connection right behind the body, as that of Python does, ends nothing', async ({
  dir,
}) => {
  for (const size of [70_000, 300_000]) {
    const body = CONTENT.subarray(0, size);
    const server = createTcpServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        socket.write(`HTTP/1.0 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
        socket.end(body);
      });
    });
    await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as AddressInfo;
    const { path } = await download(`http://127.0.0.1:${port}/${size}.zip`, dir, QUICK);
    assert.ok(readFileSync(path).equals(body));
    server.close();
  }
});

test('redirects are followed, also from where a download broke off', async (context) => {
  context.answer = (request, response) => {
    if (request.url === '/sets/val.zip') response.writeHead(302, { location: '/elsewhere/1' }).end();
    else
      serve(
        request,
        response,
        CONTENT,
        '"1"',
        context.asked.length === 2 ? cutAfter(response, context, 9_000) : undefined,
      );
  };
  const { path } = await download(context.url, context.dir, QUICK);
  assert.match(path, /-val\.zip$/);
  assert.ok(readFileSync(path).equals(CONTENT));
  assert.equal(context.asked.at(-1), ['bytes=9000-', '"1"']);
});

test('the proxy of the environment is asked, except for hosts of NO_PROXY', async (context) => {
  const asked: (string | undefined)[] = [];
  context.answer = (request, response) => {
    asked.push(request.url);
    serve(request, response, CONTENT, '"1"');
  };
  const before = { ...process.env };
  const proxy = context.url.replace('/sets/val.zip', '');
  Object.assign(process.env, { HTTP_PROXY: proxy, http_proxy: proxy, NO_PROXY: '127.0.0.1', no_proxy: '127.0.0.1' });
  try {
    await download('http://images.example/set.zip', context.dir, QUICK);
    await download(context.url, context.dir, QUICK);
  } finally {
    for (const name of ['HTTP_PROXY', 'http_proxy', 'NO_PROXY', 'no_proxy']) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  }
  assert.equal(asked, ['http://images.example/set.zip', '/sets/val.zip']);
});

test.run();
