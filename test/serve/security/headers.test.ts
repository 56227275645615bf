import { Hono } from 'hono';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { configSchema } from '../../../src/config/schema.js';
import { allowOrigins } from '../../../src/serve/security/cors.js';
import { securityHeaders } from '../../../src/serve/security/headers.js';

const test = suite('security headers');
const app = new Hono().use(securityHeaders()).all('*', (c) => c.text(''));
const policyAt = async (path: string) => (await app.request(path)).headers.get('content-security-policy') ?? '';

test('nobody frames an answer, guesses its type or learns where its reader comes from', async () => {
  for (const path of ['/', '/page/page.js', '/docs', '/predict', '/nothing']) {
    const { headers } = await app.request(path);
    assert.is(headers.get('x-content-type-options'), 'nosniff');
    assert.is(headers.get('x-frame-options'), 'DENY');
    assert.is(headers.get('referrer-policy'), 'no-referrer');
    assert.match(await policyAt(path), "default-src 'none'; frame-ancestors 'none'");
  }
});

test('the page runs its own scripts and nothing written into it, and may use the camera', async () => {
  const policy = await policyAt('/');
  assert.match(policy, "script-src 'self';");
  assert.match(policy, "img-src 'self' blob: data:;");
  assert.not.match(policy, 'unsafe');
  const camera = async (path: string) =>
    (await app.request(path)).headers.get('permissions-policy')?.includes('camera=(self)');
  assert.ok(await camera('/'));
  assert.not(await camera('/predict'));
  assert.is(await policyAt('/docs'), await policyAt('/'));
  assert.match(await policyAt('/test_data'), 'sandbox');
});

const preflight = (origins: string[], origin: string) =>
  new Hono()
    .use(allowOrigins(origins))
    .post('/predict', (c) => c.text(''))
    .request('/predict', { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } });

test('only pages of the origins named are let in, without cookies', async () => {
  const ours = await preflight(['https://a.example', 'http://b.example:8000'], 'http://b.example:8000');
  assert.is(ours.status, 204);
  assert.is(ours.headers.get('access-control-allow-origin'), 'http://b.example:8000');
  assert.match(ours.headers.get('access-control-allow-headers') ?? '', 'X-API-Key');
  assert.match(ours.headers.get('vary') ?? '', 'Origin');
  assert.is(ours.headers.get('access-control-allow-credentials'), null);
  for (const origin of ['https://a.example.evil', 'http://a.example', 'null', 'https://a.example:8000']) {
    const theirs = await preflight(['https://a.example', 'http://b.example:8000'], origin);
    assert.is(theirs.headers.get('access-control-allow-origin'), null);
  }
  assert.is((await preflight(['*'], 'https://any.example')).headers.get('access-control-allow-origin'), '*');
});

test('what is no origin is refused when the service is configured', () => {
  const parse = (origin: string) => configSchema.safeParse({ serve: { cors: [origin] } }).success;
  for (const origin of ['*', 'https://a.example', 'http://localhost:5173']) assert.ok(parse(origin), origin);
  for (const origin of ['', 'a.example', 'https://a.example/', 'https://u:p@a.example', 'ftp://a', '**'])
    assert.not(parse(origin), origin);
});

test.run();
