import { mkdir, mkdtemp, readFile, rename, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import type { Hono } from 'hono';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { configSchema } from '../../../src/config/schema.js';
import { readBundle } from '../../../src/detect/bundle.js';
import { createApp } from '../../../src/serve/app.js';
import { Metrics } from '../../../src/serve/observe/metrics.js';
import { type VersionInfo, Versions } from '../../../src/serve/versions/versions.js';
import { makeBundle } from '../make_bundle.js';
import { startModel, versionOf } from '../versions/versions_of.js';
import { READY } from './real_app.js';

const test = suite('admin');
const token = 'a-token-for-operators';
let root: string;
let outside: string;
let image: Buffer<ArrayBuffer>;
let versions: Versions;
let app: Hono;

/** The app with or without a token and a folder of bundles. */
function appOf(adminToken: string | null, bundles: string | null): Hono {
  const config = { ...configSchema.parse({}).serve, adminToken, bundles };
  const metrics = new Metrics(versions.live);
  metrics.versions.watch(() => versions.list());
  return createApp({ models: versions, versions, metrics, config, readiness: READY });
}

test.before(async () => {
  root = await mkdtemp(join(tmpdir(), 'yolox-bundles-'));
  outside = await makeBundle();
  image = await readFile(join(outside, 'test_image.jpg'));
  await rename(await versionOf(outside, '2', 2), join(root, 'second'));
  await symlink(outside, join(root, 'escape'));
  await mkdir(join(root, 'empty'));
  versions = new Versions(await readBundle(outside), { start: startModel });
  await versions.open();
  app = appOf(token, root);
});
test.after(async () => {
  await versions.close();
  await Promise.all([root, outside].map((dir) => rm(dir, { recursive: true })));
});

const ask = (method: string, path: string, body?: unknown, authorization = `Bearer ${token}`) =>
  app.request(`/admin${path}`, {
    method,
    headers: { authorization },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });

async function refusal(answer: Promise<Response> | Response): Promise<[number, string]> {
  const { status, ...rest } = await (await answer).json().then(
    (json) => ({ status: 0, ...(json as { error: { code: string } }) }),
    () => ({ status: 0, error: { code: 'no JSON' } }),
  );
  assert.is(status, 0);
  return [(await answer).status, rest.error.code];
}

const loaded = async () => {
  const { versions: all } = (await (await ask('GET', '/versions')).json()) as { versions: VersionInfo[] };
  return Object.fromEntries(all.map(({ id, role }) => [id, role]));
};

const answering = async () =>
  (await app.request('/predict', { method: 'POST', body: image })).headers.get('x-model-version');

test('only who shows the token comes in, and without one there is nothing', async () => {
  for (const authorization of ['', 'Bearer', 'Bearer wrong', `Basic ${token}`, `Bearer ${token}x`, token]) {
    const answer = await ask('GET', '/versions', undefined, authorization);
    assert.match(answer.headers.get('www-authenticate') ?? '', 'Bearer');
    assert.equal(await refusal(answer), [401, 'wrong_token']);
  }
  const headers = { authorization: `Bearer ${token}` };
  for (const path of ['/admin/versions', '/admin/rollback', '/admin']) {
    assert.equal(await refusal(appOf(null, root).request(path, { headers })), [404, 'unknown_path']);
  }
  assert.is((await ask('GET', '/versions')).status, 200);
});

test('a version is loaded, tried, promoted, rolled back and released', async () => {
  const created = await ask('POST', '/versions', { bundle: 'second' });
  assert.is(created.status, 201);
  const { id, role, healthy, provider } = (await created.json()) as VersionInfo;
  assert.equal([id, role, healthy, provider], ['pattern@2', 'idle', true, 'cpu']);
  assert.equal(await refusal(ask('POST', '/versions', { bundle: 'second' })), [409, 'already_loaded']);

  assert.is((await ask('PUT', '/canary', { version: 'pattern@2', share: 1 })).status, 200);
  assert.is(await answering(), 'pattern@2');
  assert.equal(await loaded(), { 'pattern@1': 'live', 'pattern@2': 'canary' });
  assert.is((await ask('DELETE', '/canary')).status, 204);
  assert.is(await answering(), 'pattern@1');

  assert.is((await ask('PUT', '/shadow', { version: 'pattern@2' })).status, 200);
  assert.is(await answering(), 'pattern@1');
  assert.equal(await loaded(), { 'pattern@1': 'live', 'pattern@2': 'shadow' });
  assert.match(await (await app.request('/metrics')).text(), 'yolox_model_role{model="pattern@2",role="shadow"} 1');
  assert.is((await ask('DELETE', '/shadow')).status, 204);

  assert.is((await ask('POST', '/versions/pattern%402/promote')).status, 200);
  assert.is(await answering(), 'pattern@2');
  assert.equal(await refusal(ask('DELETE', '/versions/pattern@2')), [409, 'is_live']);
  assert.is((await ask('POST', '/rollback')).status, 200);
  assert.is(await answering(), 'pattern@1');
  assert.is((await ask('DELETE', '/versions/pattern@2')).status, 204);
  assert.equal(await loaded(), { 'pattern@1': 'live' });
  assert.equal(await refusal(ask('POST', '/rollback')), [409, 'nothing_to_roll_back']);
});

test('bundles outside the folder, or none at all, are refused', async () => {
  for (const bundle of ['..', '.', '../x', '/etc', 'a/b', 'a\\b', '', 'x\0', '%2e%2e', 'x'.repeat(300)]) {
    assert.equal(await refusal(ask('POST', '/versions', { bundle })), [400, 'bad_field'], bundle);
  }
  assert.equal(await refusal(ask('POST', '/versions', { bundle: 'escape' })), [404, 'unknown_bundle']);
  assert.equal(await refusal(ask('POST', '/versions', { bundle: 'absent' })), [404, 'unknown_bundle']);
  const empty = await ask('POST', '/versions', { bundle: 'empty' });
  assert.not.match(await empty.clone().text(), root);
  assert.equal(await refusal(empty), [422, 'unusable_bundle']);
  const headers = { authorization: `Bearer ${token}` };
  const body = JSON.stringify({ bundle: 'second' });
  const none = appOf(token, null).request('/admin/versions', { method: 'POST', headers, body });
  assert.equal(await refusal(none), [409, 'no_bundles']);
  assert.equal(await loaded(), { 'pattern@1': 'live' });
});

test('no path and no body makes it fail', async () => {
  for (const body of ['', '{', '[]', '{}', '{"bundle": 1}', '{"bundle": "second", "force": true}']) {
    assert.is((await ask('POST', '/versions', body)).status, 400);
  }
  assert.equal(await refusal(ask('PUT', '/canary', { version: 'pattern@1', share: 2 })), [400, 'bad_field']);
  assert.equal(await refusal(ask('PUT', '/canary', { version: 'pattern@1', share: 0.5 })), [409, 'is_live']);
  assert.equal(await refusal(ask('PUT', '/shadow', { version: 'no@1' })), [404, 'unknown_version']);
  assert.equal(await refusal(ask('POST', '/versions', 'x'.repeat(20_000))), [413, 'too_large']);
  assert.equal(await refusal(ask('PATCH', '/versions')), [405, 'wrong_method']);
  const paths = fc.constantFrom('/versions', '/canary', '/shadow', '/rollback', '/versions/a/promote');
  await fc.assert(
    fc.asyncProperty(fc.constantFrom('POST', 'PUT'), paths, fc.json(), async (method, path, body) => {
      const { status } = await ask(method, path, body);
      assert.ok(status >= 400 && status < 500, `${method} ${path} ${body}: ${status}`);
    }),
    { numRuns: 100 },
  );
  assert.equal(await loaded(), { 'pattern@1': 'live' });
});

test.run();
