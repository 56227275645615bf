import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { makeBundle } from '../make_bundle.js';

const test = suite('secured service');
const CLI = resolve(import.meta.dirname, '../../../bin/yolox.mjs');
/** Every kind of secret there is; none may appear in the log, the traces or an answer. */
const SECRETS = {
  environment: 'key-of-the-environment-1f6a',
  file: 'key-of-the-file-0c2e94d1',
  admin: 'token-of-the-admin-77b3e0',
  wrong: 'key-of-a-stranger-5d8800',
  url: 'password-in-a-url-4e11',
  query: 'secret-in-a-query-9a02',
};
let dir: string;
let image: Buffer<ArrayBuffer>;
let service: ChildProcess;
let url: string;
let stderr: Promise<string>;
let collector: Server;
let traces = '';
let answers = '';

test.before(async () => {
  dir = await makeBundle();
  image = await readFile(join(dir, 'test_image.jpg'));
  await writeFile(join(dir, 'keys'), `${SECRETS.file}\n`);
  collector = createServer(async (request, response) => {
    traces += await text(request);
    response.end();
  }).listen(0, '127.0.0.1');
  await once(collector, 'listening');
  const flags = { port: 0, apiKeysFile: join(dir, 'keys'), logLevel: 'debug', cors: '[https://app.example]' };
  const args = Object.entries(flags).flatMap(([key, value]) => [`--serve.${key}`, String(value)]);
  service = spawn(process.execPath, [CLI, 'serve', dir, '--json', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      YOLOX_SERVE_API_KEYS: `[${SECRETS.environment}]`,
      YOLOX_SERVE_ADMIN_TOKEN: SECRETS.admin,
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
    },
  });
  stderr = text(service.stderr as NonNullable<ChildProcess['stderr']>);
  const [line] = await once(service.stdout as NonNullable<ChildProcess['stdout']>, 'data');
  ({ url } = JSON.parse(String(line)) as { url: string });
});
test.after(async () => {
  service.kill('SIGKILL');
  collector.close();
  await rm(dir, { recursive: true });
});

async function ask(path: string, headers: Record<string, string> = {}, method = 'GET', body?: RequestInit['body']) {
  const response = await fetch(`${url}${path}`, { method, headers, body });
  answers += `${[...response.headers].join('\n')}\n${await response.clone().text()}\n`;
  return response;
}

test('keys of the environment and of the file open the service; anything else does not', async () => {
  const predict = async (headers: Record<string, string>) => (await ask('/predict', headers, 'POST', image)).status;
  assert.is(await predict({ 'x-api-key': SECRETS.environment }), 200);
  assert.is(await predict({ authorization: `Bearer ${SECRETS.file}` }), 200);
  assert.is(await predict({ 'x-api-key': SECRETS.wrong }), 401);
  assert.is(await predict({ authorization: `Bearer ${SECRETS.admin}` }), 401);
  for (const path of ['/metrics', '/service_version', '/test_data', '/test_result', '/nothing']) {
    assert.is((await ask(path)).status, 401, path);
  }
  for (const path of ['/', '/healthz', '/readyz', '/docs', '/openapi.json', '/page/app.js']) {
    assert.is((await ask(path)).status, 200, path);
  }
});

test('the admin’s token is no key, and a key is no admin’s token', async () => {
  const versions = (token: string) => ask('/admin/versions', { authorization: `Bearer ${token}` });
  assert.is((await versions(SECRETS.admin)).status, 200);
  for (const token of [SECRETS.environment, SECRETS.file, SECRETS.wrong, ''])
    assert.is((await versions(token)).status, 401);
});

test('a page of an allowed origin may ask before it sends a key, and read a refusal', async () => {
  const headers = {
    origin: 'https://app.example',
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'x-api-key',
  };
  const preflight = await ask('/predict', headers, 'OPTIONS');
  assert.is(preflight.status, 204);
  assert.match(preflight.headers.get('access-control-allow-headers') ?? '', 'X-API-Key');
  const refused = await ask('/predict', { origin: 'https://app.example' }, 'POST', image);
  assert.is(refused.status, 401);
  assert.is(refused.headers.get('access-control-allow-origin'), 'https://app.example');
  const stranger = await ask('/predict', { ...headers, origin: 'https://evil.example' }, 'OPTIONS');
  assert.is(stranger.headers.get('access-control-allow-origin'), null);
});

test('log, traces and answers hold every request, and no secret', async () => {
  const json = { 'content-type': 'application/json', 'x-api-key': SECRETS.file };
  const body = JSON.stringify({ url: `https://user:${SECRETS.url}@a.example/b.jpg?${SECRETS.query}` });
  assert.is((await ask(`/predict?key=${SECRETS.query}`, json, 'POST', body)).status, 400);
  const { status } = await ask('/predict', { ...json, 'x-request-id': 'the-last-one' }, 'POST', '{');
  assert.is(status, 400);
  service.kill('SIGTERM');
  const [code] = await once(service, 'exit');
  assert.is(code, 0);
  const log = await stderr;
  const lines = log.split('\n').filter((line) => line.startsWith('{'));
  const requests = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'request');
  assert.ok(requests.length >= 20);
  assert.equal([requests.at(-1).id, requests.at(-1).code], ['the-last-one', 'malformed_body']);
  assert.ok(requests.some(({ path, status, model }) => path === '/predict' && status === 200 && model === 'pattern@1'));
  assert.match(traces, '"inference"');
  for (const [name, secret] of Object.entries(SECRETS)) {
    assert.not.match(log, secret, name);
    assert.not.match(traces, secret, name);
    assert.not.match(answers, secret, name);
  }
});

test.run();
