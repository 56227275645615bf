import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import type { Hono } from 'hono';
import sharp from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readJson } from '../../src/base/files.js';
import { configSchema } from '../../src/config/schema.js';
import { type Bundle, readBundle } from '../../src/detect/bundle.js';
import { createApp } from '../../src/serve/app.js';
import type { Answer } from '../../src/serve/http/answer.js';
import { Metrics } from '../../src/serve/observe/metrics.js';
import type { ModelProcess } from '../../src/serve/versions/model_process.js';
import { makeBundle, randomJpeg } from './make_bundle.js';
import { startModel } from './versions/versions_of.js';

const test = suite('app');
const limits = { ...configSchema.parse({}).serve, maxBytes: 100_000, maxPixels: 1_000_000 };
let unready: string | undefined;
const readiness = { draining: false, unready: async () => unready };
let bundle: Bundle;
let model: ModelProcess;
let app: Hono;
let image: Buffer<ArrayBuffer>;
let reference: Answer;

function appOf(model: ModelProcess): Hono {
  const metrics = new Metrics(bundle);
  metrics.watch(model);
  const models = { live: model.bundle, lease: () => ({ model, release() {} }) };
  return createApp({ models, metrics, config: limits, readiness });
}

test.before(async () => {
  bundle = await readBundle(await makeBundle());
  model = await startModel(bundle, { maxPixels: limits.maxPixels });
  app = appOf(model);
  image = await readFile(join(bundle.dir, 'test_image.jpg'));
  reference = await readJson(join(bundle.dir, 'test_result.json'));
});
test.after(async () => {
  await model.close();
  await rm(bundle.dir, { recursive: true });
});

const post = (body: RequestInit['body'], type?: string, path = '/predict') =>
  app.request(path, { method: 'POST', body, headers: type ? { 'content-type': type } : {} });

function form(...parts: [field: string, value: string | File][]): FormData {
  const data = new FormData();
  for (const [field, value] of parts) data.append(field, value);
  return data;
}
const file = (name: string) => new File([image], name, { type: 'image/jpeg' });

/** Status and code of a refusal, whose reason is complete and free of stack traces. */
async function refusal(response: Response | Promise<Response>): Promise<[number, string]> {
  const { status, headers, ...rest } = await response;
  assert.match(headers.get('content-type') ?? '', 'application/json', JSON.stringify(rest));
  const { error } = (await (await response).json()) as { error: { code: string; message: string } };
  assert.match(error.code, /^[a-z_]+$/);
  assert.type(error.message, 'string');
  assert.not.match(JSON.stringify(error), /\bat .+:\d+:\d+|node_modules/);
  return [status, error.code];
}

test('the reference answer for the test image, in whatever way it is sent', async () => {
  assert.ok(reference.annotations.length > 0);
  for (const type of ['image/jpeg', 'IMAGE/PNG; q=1', 'application/octet-stream', undefined]) {
    const response = await post(image, type);
    assert.is(response.status, 200);
    assert.equal(await response.json(), reference);
  }
  const response = await post(form(['anything', file('a b.jpg')]));
  assert.equal(await response.json(), { ...reference, file_name: 'a b.jpg' });
});

test('an answer has the size of the image, its id, and numbered boxes of known categories', async () => {
  const response = await post(new Uint8Array(await randomJpeg(9, 70, 120)), 'image/jpeg', '/predict?image_id=42');
  const { annotations, categories, ...image } = (await response.json()) as Answer;
  assert.equal(image, { file_name: '', height: 120, width: 70, image_id: 42 });
  assert.equal(categories, bundle.categories);
  annotations.forEach(({ id, image_id, category_id, bbox: [x, y, w, h], score, segmentation }, i) => {
    assert.equal([id, image_id, segmentation], [i + 1, 42, []]);
    assert.ok(categories.some((category) => category.id === category_id));
    assert.ok(x >= 0 && y >= 0 && w > 0 && h > 0 && x + w <= 70 + 1e-9 && y + h <= 120 + 1e-9 && score > 0);
  });
});

test('an image without objects is answered with an empty list', async () => {
  const unsure = await startModel({ ...bundle, thresholds: { ...bundle.thresholds, confidence: 1 } });
  const strict = appOf(unsure);
  const response = await strict.request('/predict', { method: 'POST', body: image });
  assert.equal(await response.json(), { ...reference, annotations: [] });
  await unsure.close();
});

test('the test image, the reference answer and the version are served', async () => {
  for (const method of ['GET', 'POST']) {
    const data = await app.request('/test_data', { method });
    assert.is(data.headers.get('content-type'), 'image/jpeg');
    assert.equal(Buffer.from(await data.arrayBuffer()), image);
    assert.equal(await (await app.request('/test_result', { method })).json(), reference);
    const version = await (await app.request('/service_version', { method })).json();
    const { name, version: number, created, categories, thresholds } = bundle;
    assert.equal(version, { name, version: number, created, categories, thresholds });
  }
});

test('HEAD has the headers of GET and no body', async () => {
  const response = await app.request('/healthz', { method: 'HEAD' });
  assert.is(response.status, 200);
  assert.is(await response.text(), '');
});

test('ready only while the service wants requests, alive always', async () => {
  unready = 'The model is being loaded.';
  assert.equal(await refusal(app.request('/readyz')), [503, 'not_ready']);
  assert.is((await app.request('/healthz')).status, 200);
  assert.is((await app.request('/livez')).status, 200);
  unready = undefined;
  assert.is((await app.request('/readyz')).status, 200);
});

test('the query changes thresholds and classes of one request', async () => {
  const ask = async (query: string) =>
    ((await (await post(image, undefined, `/predict${query}`)).json()) as Answer).annotations;
  const scores = reference.annotations.map(({ score }) => score);
  const conf = scores[Math.floor(scores.length / 2)];
  assert.is((await ask(`?conf=${conf}`)).length, scores.filter((score) => score >= conf).length);
  assert.equal(await ask('?max=1'), reference.annotations.slice(0, 1));
  assert.ok((await ask('?iou=1&max=1000')).length > reference.annotations.length);
  const { category_id } = reference.annotations[0];
  const [{ name }] = bundle.categories.filter(({ id }) => id === category_id);
  const ofClass = await ask(`?classes=${category_id}&conf=0.2`);
  assert.ok(ofClass.length > 0 && ofClass.every((object) => object.category_id === category_id));
  assert.equal(await ask(`?classes=${name}`), ofClass);
  assert.equal(await ask('?classes=1,2,3'), reference.annotations);
});

test('a wrong parameter is named with what is expected', async () => {
  for (const query of [
    'conf=2',
    'conf=',
    'conf=x',
    'iou=-1',
    'max=0',
    'max=1.5',
    'max=1001',
    'classes=',
    'classes=1,zebra',
  ]) {
    const response = await post(image, undefined, `/predict?${query}`);
    const { error } = (await response.clone().json()) as { error: { message: string; expected: string } };
    assert.equal(await refusal(response), [400, 'bad_parameter']);
    assert.match(error.message, query.split('=')[0]);
    assert.type(error.expected, 'string');
  }
});

test('an answer tells its stages, and the metrics count them', async () => {
  const response = await post(image);
  const stages = ['queue', 'decode', 'letterbox', 'inference', 'post'];
  const timing = response.headers.get('server-timing') ?? '';
  assert.match(timing, new RegExp(`^${stages.map((stage) => `${stage};dur=\\d+\\.\\d+`).join(', ')}$`));
  await post('not an image', 'image/jpeg');
  const metrics = await app.request('/metrics');
  assert.match(metrics.headers.get('content-type') ?? '', 'text/plain');
  const text = await metrics.text();
  for (const stage of stages) assert.match(text, new RegExp(`yolox_stage_seconds_count{stage="${stage}"} [1-9]`));
  assert.match(text, /yolox_responses_total{route="\/predict",status="200"} [1-9]/);
  assert.match(text, /yolox_responses_total{route="\/predict",status="422"} [1-9]/);
  assert.match(text, /yolox_queue_depth 0\n/);
  assert.match(text, /yolox_in_flight 0\n/);
  assert.match(text, `yolox_model_info{name="${bundle.name}",version="${bundle.version}"} 1`);
});

test('what is not one image is refused', async () => {
  assert.equal(await refusal(post(undefined, 'image/jpeg')), [400, 'empty_body']);
  assert.equal(await refusal(post(new Uint8Array(), undefined)), [400, 'empty_body']);
  assert.equal(await refusal(post('{}', 'text/plain')), [415, 'unsupported_type']);
  assert.equal(await refusal(post(image, 'application/x-www-form-urlencoded')), [415, 'unsupported_type']);
  assert.equal(await refusal(post('not an image', 'image/jpeg')), [422, 'undecodable']);
  assert.equal(await refusal(post(image.subarray(0, image.length / 2), 'image/jpeg')), [422, 'undecodable']);
  assert.equal(await refusal(post('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', 'image/svg+xml')), [
    422,
    'undecodable',
  ]);
  assert.equal(await refusal(post(image, 'image/jpeg', '/predict?image_id=-1')), [400, 'bad_image_id']);
  const gzip = { method: 'POST', body: image, headers: { 'content-encoding': 'gzip' } };
  assert.equal(await refusal(app.request('/predict', gzip)), [415, 'unsupported_encoding']);
});

test('a multipart body with anything but files is refused', async () => {
  for (const body of [form(['image', 'text']), form(['a', file('a')], ['b', 'text'])]) {
    assert.equal(await refusal(post(body)), [400, 'not_files']);
  }
  assert.equal(await refusal(post(form(['image', new File([], 'empty.jpg')]))), [400, 'empty_body']);
  assert.equal(await refusal(post('garbage', 'multipart/form-data; boundary=x')), [400, 'malformed_body']);
  assert.equal(await refusal(post(image, 'multipart/form-data')), [400, 'malformed_body']);
});

test('a body above the limit is refused before it is read whole', async () => {
  assert.equal(await refusal(post(new Uint8Array(limits.maxBytes + 1), 'image/jpeg')), [413, 'too_large']);
  const declared = { method: 'POST', body: image, headers: { 'content-length': String(limits.maxBytes + 1) } };
  assert.equal(await refusal(app.request('/predict', declared)), [413, 'too_large']);
  let sent = 0;
  const endless = new ReadableStream({
    pull(controller) {
      sent += 10_000;
      controller.enqueue(new Uint8Array(10_000));
    },
  });
  assert.equal(
    await refusal(app.request('/predict', { method: 'POST', body: endless, duplex: 'half' } as RequestInit)),
    [413, 'too_large'],
  );
  assert.ok(sent < 2 * limits.maxBytes);
});

test('a small file of a huge image is refused by its header', async () => {
  const bomb = await sharp({ create: { width: 4000, height: 4000, channels: 3, background: '#888' } })
    .png()
    .toBuffer();
  assert.ok(bomb.length < limits.maxBytes);
  assert.equal(await refusal(post(new Uint8Array(bomb), 'image/png')), [413, 'too_many_pixels']);
});

test('unknown paths and methods are refused, with the methods that would do', async () => {
  assert.equal(await refusal(app.request('/nothing')), [404, 'unknown_path']);
  const response = await app.request('/predict', { method: 'GET' });
  assert.is(response.headers.get('allow'), 'POST, OPTIONS');
  assert.equal(await refusal(response), [405, 'wrong_method']);
  assert.equal(await refusal(app.request('/healthz', { method: 'DELETE' })), [405, 'wrong_method']);
});

const types = fc.oneof(
  fc.constantFrom(
    'image/jpeg',
    'application/octet-stream',
    'multipart/form-data; boundary=b',
    'multipart/form-data',
    undefined,
  ),
  fc.stringMatching(/^[a-z]{1,8}\/[a-z;= ]{1,12}$/),
);
const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 20 });

test('no bytes under any content type make the service fail', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), types, async (bytes, type) => {
      assert.match((await refusal(post(bytes as Uint8Array<ArrayBuffer>, type)))[0].toString(), /^4/);
    }),
    { numRuns: 150 },
  );
  await fc.assert(
    fc.asyncProperty(damage, types, async (changes, type) => {
      const bytes = new Uint8Array(image);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      const { status } = await post(bytes, type);
      assert.ok(status === 200 || (status >= 400 && status < 500), `status ${status}`);
    }),
    { numRuns: 100 },
  );
});

test.run();
