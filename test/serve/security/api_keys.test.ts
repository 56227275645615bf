import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { Hono } from 'hono';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import { withoutSecrets } from '../../../src/config/keys.js';
import { loadConfig } from '../../../src/config/load.js';
import { configSchema } from '../../../src/config/schema.js';
import { answerFailures } from '../../../src/serve/http/failures.js';
import { readApiKeys, requireApiKey } from '../../../src/serve/security/api_keys.js';
import { digestsOf, matchesSecret } from '../../../src/serve/security/secrets.js';

const test = suite('api keys');
const dir = mkdtempSync(join(tmpdir(), 'yolox-keys-'));
test.after(() => rmSync(dir, { recursive: true }));
const serve = configSchema.parse({}).serve;
const FIRST = 'first-key-0123456789';
const SECOND = 'second-key-0123456789';

function appOf(options: Partial<typeof serve> = {}): Hono {
  const app = new Hono();
  answerFailures(app);
  return app.use(requireApiKey({ ...serve, apiKeys: [FIRST, SECOND], ...options })).all('*', (c) => c.text('served'));
}

const secret = fc.string({ unit: 'binary', maxLength: 40 });

test('a secret matches when it is one of those known, and nothing else does', () => {
  fc.assert(
    fc.property(fc.array(secret), secret, (known, given) => {
      assert.is(matchesSecret(given, digestsOf(known)), known.includes(given));
      assert.ok(matchesSecret(given, digestsOf([...known.filter((one) => one !== given), given])));
      assert.not(matchesSecret(undefined, digestsOf(known)));
    }),
  );
});

test('data is for those with a key, in either header; probes, page and docs are for all', async () => {
  const app = appOf();
  const status = async (path: string, headers: Record<string, string> = {}) =>
    (await app.request(path, { method: 'POST', headers })).status;
  for (const path of [
    '/predict',
    '/test_data',
    '/test_result',
    '/service_version',
    '/metrics',
    '/nothing',
    '/page',
    '/docsx',
  ]) {
    const wrong: Record<string, string>[] = [
      {},
      { 'x-api-key': `${FIRST}x` },
      { 'x-api-key': FIRST.slice(0, -1) },
      { 'x-api-key': '' },
      { authorization: FIRST },
      { authorization: `Basic ${FIRST}` },
      { authorization: `Bearer ${FIRST} ${SECOND}` },
    ];
    for (const headers of wrong) assert.is(await status(path, headers), path === '/page' ? 200 : 401, path);
    for (const key of [FIRST, SECOND]) {
      assert.is(await status(path, { 'x-api-key': key }), 200);
      assert.is(await status(path, { authorization: `bearer ${key}` }), 200);
    }
  }
  for (const path of [
    '/',
    '/healthz',
    '/livez',
    '/readyz',
    '/docs',
    '/docs/x.css',
    '/page/x.js',
    '/openapi.json',
    '/admin/versions',
  ]) {
    assert.is(await status(path), 200, path);
  }
  assert.is((await appOf({ openMetrics: true }).request('/metrics')).status, 200);
});

test('no spelling of a path leads past the key', async () => {
  const app = new Hono();
  answerFailures(app);
  app
    .use(requireApiKey({ ...serve, apiKeys: [FIRST] }))
    .all('/predict', (c) => c.text('served'))
    .all('/page/*', (c) => c.text('page'));
  const spellings = ['//predict', '/predict/', '/Predict', '/%70redict', '/page/../predict', '/page/%2e%2e/predict'];
  for (const path of [...spellings, '/page/..%2fpredict', '/healthz/../predict', '/predict%00', '/predict;/healthz']) {
    const response = await app.request(path, { method: 'POST' });
    assert.ok(response.status === 401 || response.status === 404 || (await response.text()) === 'page', path);
  }
});

test('a refusal says how to authenticate, and not what came', async () => {
  const response = await appOf().request('/predict', { headers: { 'x-api-key': 'a-wrong-key-of-somebody' } });
  assert.is(response.headers.get('www-authenticate'), 'Bearer realm="yolox"');
  const body = await response.text();
  assert.is(JSON.parse(body).error.code, 'wrong_key');
  assert.not.match(body, 'a-wrong-key-of-somebody');
});

test('keys come from a file as well, and from the environment', async () => {
  const file = join(dir, 'keys');
  writeFileSync(file, `# for the gateway\n${FIRST}\n\n  ${SECOND} # for tests\n`);
  const { apiKeys } = await readApiKeys({ ...serve, apiKeys: ['a-third-key-0123456789'], apiKeysFile: file });
  assert.equal(apiKeys, ['a-third-key-0123456789', FIRST, SECOND]);
  assert.is(await readApiKeys(serve), serve);
  const config = await loadConfig({ environment: { YOLOX_SERVE_API_KEYS: `[${FIRST}, ${SECOND}]` } });
  assert.equal(config.serve.apiKeys, [FIRST, SECOND]);
});

test('what is written down of a configuration has no keys', () => {
  const config = configSchema.parse({ serve: { apiKeys: [FIRST], adminToken: SECOND } });
  const shown = withoutSecrets(config);
  assert.not.match(JSON.stringify(shown), FIRST);
  assert.not.match(JSON.stringify(shown), SECOND);
  assert.equal(shown.train, config.train);
});

test('no message shows a key, however wrong', async () => {
  const messageOf = async (work: Promise<unknown>) => {
    const error = await work.catch((thrown: unknown) => thrown);
    assert.instance(error, UserError);
    assert.not.match((error as Error).message, 'hunter');
    return (error as Error).message;
  };
  const file = join(dir, 'short');
  writeFileSync(file, `${FIRST}\nhunter2\n`);
  assert.match(await messageOf(readApiKeys({ ...serve, apiKeysFile: file })), /short: line 2: expected a secret of 16/);
  writeFileSync(file, '# none\n');
  assert.match(await messageOf(readApiKeys({ ...serve, apiKeysFile: file })), 'at least one key');
  for (const value of ['hunter2', '[hunter2', '[hunter2]', '{hunter2: hunter2}']) {
    await messageOf(loadConfig({ environment: { YOLOX_SERVE_API_KEYS: value } }));
  }
});

test.run();
