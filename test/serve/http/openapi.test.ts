import { Validator } from '@seriousme/openapi-schema-validator';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { form, type RealApp, realApp } from './real_app.js';

const test = suite('openapi');

interface Operation {
  operationId: string;
  parameters?: { name: string; in: string }[];
  requestBody?: { content: Record<string, unknown> };
  responses: Record<string, { content?: Record<string, { schema: object }> }>;
  security: Record<string, string[]>[];
}
interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object>; securitySchemes?: Record<string, object> };
}

const adminToken = 'token-of-the-tests';
let real: RealApp;
let document: Document;

const documentOf = async ({ app }: RealApp) => (await (await app.request('/openapi.json')).json()) as Document;

test.before(async () => {
  real = await realApp({ adminToken });
  document = await documentOf(real);
});
test.after(() => real.close());

/** A schema of the document as a validator. */
function validatorOf(schema: object): z.ZodType {
  const root = { ...schema, $defs: document.components.schemas };
  return z.fromJSONSchema(JSON.parse(JSON.stringify(root).replaceAll('#/components/schemas/', '#/$defs/')));
}

/** Throws unless the document says that `method path` may answer so. */
async function checkAnswer(method: string, path: string, response: Response): Promise<void> {
  const { responses } = document.paths[path][method];
  const described = responses[response.status];
  assert.ok(described, `${method} ${path} may answer ${response.status}`);
  const type = (response.headers.get('content-type') ?? '').split(';')[0];
  const content = described.content?.[type];
  assert.ok(content, `${method} ${path} may answer ${response.status} with ${type}`);
  if (type !== 'application/json' || path === '/openapi.json') return;
  validatorOf(content.schema).parse(await response.json());
}

test('the document is OpenAPI 3.1', async () => {
  const { valid, errors } = await new Validator().validate(document as never);
  assert.ok(valid, JSON.stringify(errors));
  assert.match(document.openapi, /^3\.1\./);
});

test('every reference leads somewhere, and everything named is referred to', () => {
  const names = [...JSON.stringify(document).matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name);
  assert.equal([...new Set(names)].sort(), Object.keys(document.components.schemas).sort());
});

test('every route is described, and everything described is there', () => {
  // What the page and the docs load is no interface.
  const routes = real.app.routes.filter(({ method, path }) => method !== 'ALL' && !/^\/(page|docs)\//.test(path));
  const served = routes.map(({ method, path }) => `${method.toLowerCase()} ${path.replace(/:(\w+)/g, '{$1}')}`);
  const described = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  assert.equal([...new Set(served)].sort(), described.sort());
});

test('every operation has a name of its own and a summary, and says who may ask', () => {
  const names = Object.values(document.paths).flatMap((methods) => Object.values(methods).map((of) => of.operationId));
  assert.is(new Set(names).size, names.length);
  assert.ok(names.includes('post_predict') && names.includes('delete_admin_versions_id'));
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, { security, responses, ...rest }] of Object.entries(methods)) {
      assert.type((rest as { summary?: string }).summary, 'string', `${method} ${path}`);
      assert.ok(Array.isArray(security) && Object.keys(responses).length > 0);
    }
  }
});

test('real answers are as described, good and bad', async () => {
  const { image, post } = real;
  const file = (name: string, bytes: string | Uint8Array<ArrayBuffer> = image) => new File([bytes], name);
  const base64 = image.toString('base64');
  const asked: [RequestInit['body'], string?, string?][] = [
    [image, 'image/jpeg'],
    [image, 'image/jpeg', '?format=coco&image_id=3'],
    [image, 'image/jpeg', '?format=png'],
    [form(['a', file('a')], ['b', file('b', 'bad')])],
    [JSON.stringify({ images: [base64] }), 'application/json'],
    [JSON.stringify({ url: 'https://example.org/' }), 'application/json'],
    [JSON.stringify({}), 'application/json'],
    ['x', 'image/jpeg'],
    ['x', 'text/plain'],
    [new Uint8Array(real.config.maxBytes + 1), 'image/jpeg'],
    [image, 'image/jpeg', '?conf=2'],
    [image, 'image/jpeg', '?unknown=2'],
  ];
  const statuses = new Set<number>();
  for (const [body, type, query = ''] of asked) {
    const response = await post(body, type, `/predict${query}`);
    statuses.add(response.status);
    await checkAnswer('post', '/predict', response);
  }
  assert.equal([...statuses].sort(), [200, 400, 403, 413, 415, 422]);
  for (const [path, methods] of Object.entries(document.paths)) {
    if (methods.get && !path.startsWith('/admin')) await checkAnswer('get', path, await real.app.request(path));
  }
});

test('answers of the admin API are as described', async () => {
  const admin = (method: string, path: string, body?: object, token = adminToken) =>
    real.app.request(path, {
      method,
      body: body && JSON.stringify(body),
      headers: { authorization: `Bearer ${token}` },
    });
  const id = `${real.bundle.name}@${real.bundle.version}`;
  const asked: [number, string, string, string, object?][] = [
    [200, 'get', '/admin/versions', ''],
    [200, 'post', '/admin/versions/{id}/promote', id],
    [404, 'post', '/admin/versions/{id}/promote', 'nothing@1'],
    [409, 'delete', '/admin/versions/{id}', id],
    [404, 'delete', '/admin/versions/{id}', 'nothing@1'],
    [409, 'post', '/admin/versions', '', { bundle: 'other' }],
    [400, 'post', '/admin/versions', '', { bundle: '../other' }],
    [413, 'post', '/admin/versions', '', { bundle: 'x'.repeat(20_000) }],
    [409, 'post', '/admin/rollback', ''],
    [409, 'put', '/admin/canary', '', { version: id, share: 0.5 }],
    [400, 'put', '/admin/canary', '', { version: id, share: 2 }],
    [404, 'put', '/admin/shadow', '', { version: 'nothing@1' }],
  ];
  for (const [status, method, path, at, body] of asked) {
    const answer = await admin(method.toUpperCase(), path.replace('{id}', encodeURIComponent(at)), body);
    assert.is(answer.status, status, `${method} ${path}`);
    await checkAnswer(method, path, answer);
  }
  await checkAnswer('get', '/admin/versions', await admin('GET', '/admin/versions', undefined, 'wrong'));
  for (const path of ['/admin/canary', '/admin/shadow']) {
    const { status } = await admin('DELETE', path);
    assert.ok(document.paths[path].delete.responses[status]);
  }
});

test('the schemas refuse what is not an answer', async () => {
  const answer = validatorOf({ $ref: '#/$defs/Answer' });
  assert.ok(answer.safeParse(real.reference).success);
  const [first] = real.reference.annotations;
  for (const wrong of [
    { ...real.reference, width: -1 },
    { ...real.reference, more: 1 },
    { ...real.reference, annotations: [{ ...first, bbox: [1, 2, 3] }] },
    { ...real.reference, annotations: [{ ...first, segmentation: [1] }] },
    { ...real.reference, annotations: [{ ...first, score: 2 }] },
  ]) {
    assert.not.ok(answer.safeParse(wrong).success);
  }
});

test('the parameters described are those that are read', async () => {
  const { parameters = [], requestBody } = document.paths['/predict'].post;
  const values: Record<string, string> = { classes: 'star', format: 'json', max: '3' };
  const query = parameters.map(({ name }) => `${name}=${values[name] ?? 1}`).join('&');
  assert.is((await real.post(real.image, undefined, `/predict?${query}`)).status, 200);
  const types = Object.keys(requestBody?.content ?? {});
  assert.equal(types, ['image/*', 'application/octet-stream', 'multipart/form-data', 'application/json']);
});

test('keys and the admin API are described where there are any', async () => {
  const schemes = (of: Document) => Object.keys(of.components.securitySchemes ?? {}).sort();
  assert.equal(schemes(document), ['admin']);
  assert.equal(document.paths['/predict'].post.security, []);
  const keyed = await realApp({ apiKeys: ['key-of-the-tests'] });
  const described = await documentOf(keyed);
  await keyed.close();
  assert.equal(schemes(described), ['apiKey', 'bearer']);
  assert.equal(described.paths['/predict'].post.security, [{ apiKey: [] }, { bearer: [] }]);
  assert.equal(described.paths['/healthz'].get.security, []);
  assert.equal(described.paths['/admin/versions'], undefined);
});

test.run();
