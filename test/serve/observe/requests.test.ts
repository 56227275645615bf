import { Writable } from 'node:stream';
import fc from 'fast-check';
import { Hono } from 'hono';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ApiError } from '../../../src/serve/api_error.js';
import { answerFailures } from '../../../src/serve/http/failures.js';
import { createLog, readable } from '../../../src/serve/observe/log.js';
import { Metrics } from '../../../src/serve/observe/metrics.js';
import { identifyRequests, observeRequests } from '../../../src/serve/observe/requests.js';
import { reportStages } from '../../../src/serve/observe/stages.js';

const test = suite('observed requests');

/** A service that fails in every way, and what it logged. */
function observed(level: Parameters<typeof createLog>[0] = 'debug') {
  let text = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += chunk;
      done();
    },
  });
  const metrics = new Metrics({ name: 'm', version: '1' });
  const app = new Hono();
  answerFailures(app);
  app.use(identifyRequests(), observeRequests({ metrics, log: createLog(level, stream) }));
  app.post('/predict', (c) => {
    reportStages(c, { decode: 2, inference: 30 });
    c.header('X-Model-Version', 'm@1');
    return c.json({});
  });
  app.all('/broken', () => {
    const cause = new Error('fetch of https://user:hunter2@example.com failed with Bearer hunter2');
    throw new Error('fault', { cause });
  });
  app.all('/busy', () => {
    throw new ApiError({ code: 'overloaded', message: 'Later.' }, { retryAfter: 1 });
  });
  app.get('/healthz', (c) => c.text(''));
  const lines = () =>
    text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { app, metrics, lines, text: () => text };
}

test('one line a request tells who asked what, how it ended, how long it took and which model answered', async () => {
  const { app, lines } = observed();
  const response = await app.request('/predict?conf=0.5', {
    method: 'POST',
    headers: { 'x-request-id': 'abc-123', 'content-length': '7' },
    body: 'image',
  });
  const [{ time, ms, ...line }, ...more] = lines();
  assert.equal(more, []);
  assert.equal(line, {
    level: 'info',
    id: 'abc-123',
    method: 'POST',
    path: '/predict',
    status: 200,
    bytes: 7,
    model: 'm@1',
    msg: 'request',
  });
  assert.ok(!Number.isNaN(Date.parse(String(time))) && Number(ms) >= 0);
  assert.is(response.headers.get('x-request-id'), 'abc-123');
});

test('an id that is missing or malformed is replaced, whatever the outcome; ids in log and answer agree', async () => {
  const { app, lines } = observed();
  for (const path of ['/predict', '/broken', '/busy', '/nothing']) {
    for (const id of [undefined, '', 'a b', 'x'.repeat(200), '<script>', 'ä']) {
      const response = await app.request(path, {
        method: 'POST',
        headers: id === undefined ? {} : { 'x-request-id': id },
      });
      const answered = response.headers.get('x-request-id');
      assert.match(answered ?? '', /^[0-9a-f-]{36}$/);
      assert.is(lines().at(-1)?.id, answered);
    }
  }
});

test('the severity follows the fault: ours are errors with a stack, a full house a warning, probes are quiet', async () => {
  const { app, lines } = observed();
  for (const path of ['/broken', '/busy', '/nothing', '/healthz']) await app.request(path);
  assert.equal(
    lines().map(({ level, code }) => [level, code]),
    [
      ['error', undefined],
      ['warn', 'overloaded'],
      ['info', undefined],
      ['debug', undefined],
    ],
  );
  assert.match((lines()[0].err as { stack: string }).stack, /fault\n.* at [\s\S]*caused by: Error: fetch/);
  const quiet = observed('warn');
  for (const path of ['/predict', '/nothing', '/healthz']) await quiet.app.request(path, { method: 'POST' });
  assert.equal(quiet.lines(), []);
});

test('no secret reaches the log, wherever it travels', async () => {
  const { app, text } = observed();
  const headers = {
    'x-api-key': 'hunter2',
    authorization: 'Bearer hunter2',
    cookie: 'hunter2',
    referer: 'http://hunter2',
  };
  for (const path of ['/predict', '/broken', '/busy', '/nothing']) {
    await app.request(`${path}?key=hunter2&url=https://hunter2@a`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ url: 'https://user:hunter2@example.com' }),
    });
  }
  assert.match(text(), 'example.com');
  assert.not.match(text(), 'hunter2');
});

test('whatever a path holds, a line stays one line of plain characters on a terminal', () =>
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (path) => {
      const line = JSON.stringify({ level: 'info', time: new Date().toISOString(), path, status: 200, msg: 'request' });
      assert.match(readable(line), /^\d\d:\d\d:\d\d\.\d{3} info request path=[\x20-\x7e]* status=200\n$/);
    }),
  ));

test('metrics count by route and status, of which there are few whatever is asked', async () => {
  const { app, metrics } = observed('silent');
  for (const path of ['/predict', '/nothing', '/a/b', '/broken', '/busy']) await app.request(path, { method: 'POST' });
  const text = await metrics.text();
  assert.match(text, 'yolox_responses_total{route="/predict",status="200"} 1');
  assert.match(text, 'yolox_responses_total{route="other",status="404"} 2');
  assert.match(text, 'yolox_responses_total{route="/broken",status="500"} 1');
  assert.match(text, 'yolox_responses_total{route="/busy",status="503"} 1');
  assert.match(text, 'yolox_request_seconds_count{route="/predict"} 1');
  assert.match(text, 'yolox_stage_seconds_sum{stage="inference"} 0.03');
  assert.not.match(text, 'nothing');
});

test.run();
