import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { json, text } from 'node:stream/consumers';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../src/base/errors.js';
import { readJson } from '../../src/base/files.js';
import { configSchema } from '../../src/config/schema.js';
import { withServer } from '../../src/pipeline/service_test/child.js';
import { createLog } from '../../src/serve/observe/log.js';
import { startServer } from '../../src/serve/server.js';
import { familyOf } from './fuzz/processes.js';
import { makeBundle } from './make_bundle.js';

const test = suite('server');
const config = { ...configSchema.parse({}).serve, port: 0, maxBytes: 100_000, logLevel: 'silent' as const };
let dir: string;
let image: Buffer<ArrayBuffer>;
let reference: object;

test.before(async () => {
  dir = await makeBundle();
  image = await readFile(join(dir, 'test_image.jpg'));
  reference = await readJson(join(dir, 'test_result.json'));
});
test.after(() => rm(dir, { recursive: true }));

const predict = (url: string, body: RequestInit['body'] = image) =>
  fetch(`${url}/predict`, { method: 'POST', body, headers: { 'content-type': 'image/jpeg' } });

test('serves on a free port; many requests at once get the answer of one', async () => {
  const server = await startServer(dir, config);
  assert.is((await fetch(`${server.url}/readyz`)).status, 200);
  const answers = await Promise.all(Array.from({ length: 20 }, async () => (await predict(server.url)).json()));
  for (const answer of answers) assert.equal(answer, reference);
  await server.close();
});

test('closing finishes what is in flight and takes nothing new', async () => {
  const server = await startServer(dir, config);
  const headers = { 'content-type': 'image/jpeg', 'content-length': image.length, expect: '100-continue' };
  const inFlight = request(`${server.url}/predict`, { method: 'POST', headers });
  inFlight.flushHeaders();
  // The server has taken the request once it asks for the body.
  await once(inFlight, 'continue');
  const closed = server.close();
  assert.is(await predict(server.url).catch(() => 'refused'), 'refused');
  inFlight.end(image);
  const [response] = (await once(inFlight, 'response')) as [IncomingMessage];
  assert.equal(await json(response), reference);
  assert.is(response.headers.connection, 'close');
  await closed;
});

test('a body that is too large is refused while it is sent', async () => {
  const server = await startServer(dir, config);
  const { port } = new URL(server.url);
  const socket = connect(Number(port), '127.0.0.1');
  socket.write('POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n');
  socket.write(Buffer.alloc(1000));
  const answer = await Promise.race([
    new Promise<string>((resolve) => socket.once('data', (data) => resolve(String(data)))),
    text(socket),
  ]);
  assert.match(answer, /^HTTP\/1.1 413 /);
  socket.destroy();
  await server.close();
});

test('a client that leaves in the middle of its body harms nobody', async () => {
  const server = await startServer(dir, config);
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  socket.write('POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhalf');
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.destroy();
  assert.equal(await (await predict(server.url)).json(), reference);
  await server.close();
});

test('overload is answered 503 with Retry-After, and passes', async () => {
  const server = await startServer(dir, { ...config, queue: 2 });
  const answers = await Promise.all(Array.from({ length: 30 }, () => predict(server.url)));
  const refused = answers.filter(({ status }) => status === 503);
  const answered = answers.filter(({ status }) => status === 200);
  assert.ok(refused.length > 0 && answered.length > 0);
  assert.is(refused.length + answered.length, answers.length);
  for (const { headers } of refused) assert.match(headers.get('retry-after') ?? '', /^[1-9]\d*$/);
  for (const answer of answered) assert.equal(await answer.json(), reference);
  assert.equal(await (await predict(server.url)).json(), reference);
  await server.close();
});

async function untilUnready(url: string): Promise<void> {
  const isReady = () =>
    fetch(`${url}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (await isReady()) await new Promise((resolve) => setTimeout(resolve, 20));
}

test('SIGTERM finishes what is in flight and ends the process with 0', async () => {
  const { result, exitCode } = await withServer([dir, '--port', '0'], async ({ url }) => {
    const headers = { 'content-type': 'image/jpeg', 'content-length': image.length, expect: '100-continue' };
    const inFlight = request(`${url}/predict`, { method: 'POST', headers });
    inFlight.flushHeaders();
    await once(inFlight, 'continue');
    // The signal follows at once, the body once it has arrived.
    untilUnready(url).then(() => inFlight.end(image));
    return { answered: once(inFlight, 'response').then(([response]) => json(response)) };
  });
  assert.equal(await result.answered, reference);
  assert.is(exitCode, 0);
});

test('a server that is killed leaves no process of a model behind', async () => {
  const isModel = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('worker/main');
  const { result: model, exitCode } = await withServer([dir, '--port', '0'], async ({ pid }) => {
    const [found] = familyOf(pid).filter(isModel);
    process.kill(pid, 'SIGKILL');
    return found;
  });
  assert.is(exitCode, null);
  assert.type(model, 'number');
  while (existsSync(`/proc/${model}`)) await new Promise((resolve) => setTimeout(resolve, 20));
});

async function refusal(options: Partial<typeof config>): Promise<string> {
  try {
    const server = await startServer(dir, { ...config, ...options });
    await server.close();
  } catch (error) {
    assert.instance(error, UserError);
    return (error as UserError).message;
  }
  return assert.unreachable('the server started') as never;
}

test('a port in use and a foreign address are named with a remedy', async () => {
  const server = await startServer(dir, config);
  const port = Number(new URL(server.url).port);
  assert.match(
    await refusal({ port }),
    new RegExp(`127\\.0\\.0\\.1:${port}: port: expected a port that is not in use.*--port 0`),
  );
  await server.close();
  assert.match(await refusal({ host: '192.0.2.1' }), /192\.0\.2\.1:0: host: expected an address of this machine/);
});

test('a folder of bundles that is none, and a start that takes too long, are named', async () => {
  assert.match(await refusal({ bundles: join(dir, 'nothing') }), /nothing: expected an existing file or folder/);
  assert.match(await refusal({ bundles: join(dir, 'bundle.json') }), /serve\.bundles: expected a folder of bundles/);
  assert.match(await refusal({ startTimeout: 1 }), /serve\.startTimeout: expected a model that is ready within 1 ms/);
});

test('an error that ends the process is logged with its stack', async () => {
  let logged = '';
  const log = createLog('error', { write: (line) => (logged += line) });
  const server = await startServer(dir, config, log);
  const node: NodeJS.EventEmitter = process;
  node.emit('uncaughtExceptionMonitor', new Error('a fault'));
  await server.close();
  node.emit('uncaughtExceptionMonitor', new Error('after it'));
  const [line, ...more] = logged.trim().split('\n');
  const { level, err } = JSON.parse(line);
  assert.is(level, 'fatal');
  assert.match(err.stack, /a fault\n {4}at .*server\.test/);
  assert.equal(more, []);
});

test.run();
