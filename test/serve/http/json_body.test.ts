import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { Hono } from 'hono';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Answer } from '../../../src/serve/http/answer.js';
import { answerFailures } from '../../../src/serve/http/failures.js';
import { ImageUrls, pinned } from '../../../src/serve/http/image_url.js';
import { readJsonBody } from '../../../src/serve/http/json_body.js';
import { predictRoutes } from '../../../src/serve/http/predict.js';
import { type RealApp, realApp, refusal, statusAndCode } from './real_app.js';

const test = suite('json_body');
let real: RealApp;
let base64: string;

test.before(async () => {
  real = await realApp({ maxFiles: 3 });
  base64 = real.image.toString('base64');
});
test.after(() => real.close());

const post = (body: unknown, type = 'application/json', query = '') =>
  real.post(typeof body === 'string' ? body : JSON.stringify(body), type, `/predict${query}`);

test('an image in Base64 or as a data URL is answered as the same bytes are', async () => {
  const lines = base64.replace(/.{76}/g, '$&\r\n');
  const urls = ['image/jpeg', 'image/svg+xml', 'IMAGE/jpeg;charset=utf-8', 'application/octet-stream'].map(
    (type) => `data:${type};base64,${base64}`,
  );
  for (const image of [base64, lines, `${lines}\n`, ...urls]) {
    for (const type of ['application/json', 'Application/JSON; charset=utf-8']) {
      const response = await post({ image }, type);
      assert.is(response.status, 200);
      assert.equal(await response.json(), real.reference);
    }
  }
});

test('a list is answered by a list, even one of one', async () => {
  for (const count of [1, 3]) {
    const response = await post({ images: Array.from({ length: count }, () => base64) }, undefined, '?image_id=4');
    const { answers } = (await response.json()) as { answers: Answer[] };
    assert.equal(
      answers.map(({ image_id }) => image_id),
      [4, 5, 6].slice(0, count),
    );
    assert.equal(answers[0].annotations.length, real.reference.annotations.length);
  }
  assert.equal(await statusAndCode(post({ images: [base64, base64, base64, base64] })), [413, 'too_many_images']);
  const mixed = await post({ images: [base64, Buffer.from('no image').toString('base64')] });
  const { answers } = (await mixed.json()) as { answers: { error?: { code: string } }[] };
  assert.equal(
    answers.map(({ error }) => error?.code),
    [undefined, 'undecodable'],
  );
});

test('any bytes survive Base64', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1 }), (bytes) => {
      const { images } = readJsonBody(JSON.stringify({ image: Buffer.from(bytes).toString('base64') }));
      assert.equal(images, [Buffer.from(bytes)]);
    }),
  );
});

test('what is not clean Base64 is refused with its field', async () => {
  const broken = [
    '',
    base64.slice(1),
    `${base64.slice(0, 40)} ${base64.slice(40)}`,
    ` ${base64}`,
    `${base64}=`,
    `!${base64.slice(1)}`,
    Buffer.from([0xfb, 0xff, 0xfe]).toString('base64url'),
    'AB==',
    `data:text/html;base64,${base64}`,
    `data:image/jpeg,${base64}`,
    'data:image/jpeg;base64,',
  ];
  for (const image of broken) {
    const { status, code, message, expected } = await refusal(post({ images: [base64, image] }));
    assert.equal([status, code], [400, 'bad_field'], image.slice(0, 30));
    assert.match(message, 'images.1');
    assert.match(expected ?? '', 'Base64');
  }
});

test('other shapes are refused with what is expected', async () => {
  const cases: [unknown, string, RegExp][] = [
    ['{"image":', 'malformed_body', /JSON/],
    ['', 'malformed_body', /JSON/],
    ['null', 'bad_body', /image, images, url/],
    [[base64], 'bad_body', /image, images, url/],
    [{}, 'bad_body', /image, images, url/],
    [{ image: base64, url: 'https://a.org' }, 'bad_body', /image, images, url/],
    [{ imgae: base64 }, 'bad_body', /Did you mean \\"image\\"/],
    [{ constructor: base64 }, 'bad_body', /Known: image, images, url/],
    ['{"__proto__": "x"}', 'bad_body', /Known: image, images, url/],
    [{ image: 5 }, 'bad_field', /expected":"string","received":"5"/],
    [{ image: [base64] }, 'bad_field', /field image /],
    [{ images: base64 }, 'bad_field', /expected":"array/],
    [{ images: [] }, 'bad_field', /at least one image/],
    [{ images: [base64, null] }, 'bad_field', /images\.1/],
    [{ url: 'x'.repeat(3000) }, 'bad_field', /at most 2048 characters/],
  ];
  for (const [body, code, message] of cases) {
    const response = await post(body);
    const text = await response.clone().text();
    assert.equal(await statusAndCode(response), [400, code], text);
    assert.match(text, message);
    assert.ok(text.length < 1000);
  }
});

test('URLs are refused while no host is allowed', async () => {
  assert.equal(await statusAndCode(post({ url: 'https://example.org/a.jpg' })), [403, 'url_forbidden']);
});

test('a key that is there twice is refused: one of the two would be ignored', async () => {
  const { image } = real;
  const base64 = image.toString('base64');
  for (const text of [
    `{"image":"${base64}","image":"${base64}"}`,
    `{"image":"AAAA","im\\u0061ge":"${base64}"}`,
    `{"url":"https://a.org","url":"https://a.org/\\"b\\\\"}`,
  ]) {
    assert.equal(await statusAndCode(post(text)), [400, 'repeated_key'], text.slice(0, 60));
  }
  assert.equal(await statusAndCode(post(String.raw`{"url":"https://a.org/\"b\\"}`)), [403, 'url_forbidden']);
});

test('an image on an allowed host is fetched, whatever its type, and answered with the name of its file', async () => {
  const { models, config, image, reference } = real;
  const host = createServer(({ url }, response) => {
    const page = url === '/page.jpg';
    response
      .writeHead(200, { 'content-type': page ? 'text/html' : 'binary/octet-stream' })
      .end(page ? '<html>' : image);
  });
  host.listen(0, '127.0.0.1');
  await once(host, 'listening');
  const { port } = host.address() as AddressInfo;
  // A public name whose machine is the local one.
  const urls = new ImageUrls(
    { ...config, urlHosts: ['http://images.example.org'] },
    {
      resolve: async () => [{ address: '93.184.215.14', family: 4 }],
      connect: () => ({ lookup: pinned([{ address: '127.0.0.1', family: 4 }]), port, agent: false }),
    },
  );
  const app = new Hono();
  answerFailures(app);
  app.route('/', predictRoutes({ models, config, urls }));
  const ask = async (path: string) =>
    app.request('/predict', {
      method: 'POST',
      body: JSON.stringify({ url: `http://images.example.org/${path}` }),
      headers: { 'content-type': 'application/json' },
    });
  assert.equal(await (await ask('some/cat.jpg?size=9')).json(), { ...reference, file_name: 'cat.jpg' });
  const { status, code, message } = await refusal(ask('page.jpg'));
  assert.equal([status, code], [422, 'undecodable']);
  assert.match(message, 'images.example.org sent it as text/html.');
  host.close();
});

test('no JSON makes the service fail', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.json(),
        fc.string(),
        fc.object().map((value) => JSON.stringify(value)),
      ),
      async (text) => {
        const { status } = await post(text);
        assert.ok(status >= 400 && status < 500, `${status} for ${text}`);
      },
    ),
    { numRuns: 300 },
  );
});

test.run();
