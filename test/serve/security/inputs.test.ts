import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { form, type RealApp, realApp } from '../http/real_app.js';

const test = suite('hostile inputs');
let real: RealApp;

test.before(async () => {
  real = await realApp();
});
test.after(() => real.close());

const image = (name: string) => new File([real.image], name, { type: 'image/jpeg' });

test('names of files are text in an answer: nothing of them becomes a header, a path or an object', () =>
  fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.string({ unit: 'binary', maxLength: 50 }),
        fc.constantFrom(
          '../../etc/passwd',
          'a\r\nX-Evil: 1',
          'a"; filename="b',
          '\0',
          '__proto__',
          '<img onerror=alert(1)>',
        ),
      ),
      async (name) => {
        const response = await real.post(form(['image', image(name)]));
        assert.ok(response.status === 200 || response.status === 400);
        assert.is(response.headers.get('x-evil'), null);
        assert.match(response.headers.get('content-type') ?? '', 'application/json');
        if (response.status === 200)
          assert.type(((await response.json()) as { file_name: string }).file_name, 'string');
      },
    ),
    { numRuns: 40 },
  ));

const POLLUTING = ['__proto__', 'constructor', 'prototype', '__proto__.polluted', 'constructor[prototype][polluted]'];

test('no key of a query, a form or a JSON body reaches the prototype of all objects', async () => {
  for (const key of POLLUTING) {
    await real.post(real.image, 'image/jpeg', `/predict?${key}=1&${key}[polluted]=1`);
    await real.post(form([key, image('a')], [key, 'polluted']));
    for (const body of [`{"${key}":{"polluted":1}}`, `{"image":{"${key}":{"polluted":1}}}`, `[{"${key}":1}]`]) {
      const { status } = await real.post(body, 'application/json');
      assert.is(status, 400);
    }
  }
  assert.is(({} as Record<string, unknown>).polluted, undefined);
  const response = await real.post(real.image, 'image/jpeg', '/predict?__proto__[max]=0');
  assert.ok([200, 400].includes(response.status));
});

test('no path leads to a file beside those of the page and the docs', async () => {
  const up = [
    '../',
    '..%2f',
    '%2e%2e/',
    '%2e%2e%2f',
    '..\\',
    '..%5c',
    '....//',
    '%c0%ae%c0%ae/',
    '%252e%252e%252f',
    '/',
  ];
  for (const root of ['/', '/page/', '/docs/', '/admin/', '/admin/versions/']) {
    for (const step of up) {
      for (const goal of ['package.json', 'etc/passwd', 'src/serve/app.ts', 'bundle.json', 'model.onnx']) {
        for (const suffix of ['', '%00', '%00.js', '?', ';.js']) {
          const response = await real.app.request(`${root}${step.repeat(3)}${goal}${suffix}`);
          assert.ok([400, 401, 404].includes(response.status), `${root}${step}${goal}${suffix}: ${response.status}`);
        }
      }
    }
  }
});

test('what a client sends comes back as JSON data, never as a page', async () => {
  for (const path of [
    '/<script>alert(1)</script>',
    '/predict?conf=<script>',
    '/predict?classes=<script>',
    '/predict?image_id=<b>',
  ]) {
    const response = await real.post(real.image, 'image/jpeg', path);
    assert.match(response.headers.get('content-type') ?? '', 'application/json');
    assert.is(response.headers.get('x-content-type-options'), 'nosniff');
    assert.match(response.headers.get('content-security-policy') ?? '', "default-src 'none'");
  }
});

test('numbers and lists without end are refused, and quickly', async () => {
  const long = '9'.repeat(100_000);
  for (const query of [`conf=${long}`, `max=${long}`, `image_id=${long}`, `classes=${'1,'.repeat(50_000)}`]) {
    assert.is((await real.post(real.image, 'image/jpeg', `/predict?${query}`)).status, 400);
  }
  for (const body of [
    '['.repeat(90_000),
    `{"images":${'['.repeat(40_000)}${']'.repeat(40_000)}}`,
    `{"images":[${'"",'.repeat(30_000)}""]}`,
  ]) {
    const { status } = await real.post(body, 'application/json');
    assert.ok(status === 400 || status === 413, `status ${status}`);
  }
  const parts = Array.from({ length: 500 }, (_, i): [string, string] => [`f${i}`, '']);
  assert.is((await real.post(form(...parts))).status, 400);
});

test.run();
