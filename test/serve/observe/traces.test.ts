import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { Hono } from 'hono';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createLog } from '../../../src/serve/observe/log.js';
import { Metrics } from '../../../src/serve/observe/metrics.js';
import { observeRequests } from '../../../src/serve/observe/requests.js';
import { reportStages } from '../../../src/serve/observe/stages.js';
import { openTraces } from '../../../src/serve/observe/traces.js';

const test = suite('traces');

let logged = '';
const log = createLog('warn', {
  write(line) {
    logged += line;
  },
});

interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: { key: string; value: { stringValue?: string; intValue?: number } }[];
  status: { code: number };
}
interface OtlpBody {
  resourceSpans: { resource: { attributes: object[] }; scopeSpans: { spans: OtlpSpan[] }[] }[];
}

/** A collector on a free port, as far as traces need one. */
const received: { path?: string; body: OtlpBody }[] = [];
let collector: Server;
let url: string;

test.before(async () => {
  collector = createServer(async (request, response) => {
    received.push({ path: request.url, body: (await json(request)) as OtlpBody });
    response.setHeader('content-type', 'application/json').end('{}');
  }).listen(0, '127.0.0.1');
  await once(collector, 'listening');
  url = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
});
test.after(() => void collector.close());
test.before.each(() => {
  received.length = 0;
});

async function traced(headers: Record<string, string>, ask: string[]): Promise<OtlpSpan[]> {
  const traces = await openTraces(url, log);
  const metrics = new Metrics({ name: 'm', version: '1' });
  const app = new Hono().use(observeRequests({ metrics, log: log, traces }));
  app.post('/predict', (c) => {
    reportStages(c, { decode: 4, queue: 1, inference: 20 });
    return c.json({});
  });
  app.post('/broken', (c) => c.text('', 500));
  for (const path of ask) await app.request(path, { method: 'POST', headers });
  await traces?.close();
  return received.flatMap(({ body }) =>
    body.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
  );
}

test('a request is a span with one for each stage, below the caller’s, and all have left when the service stops', async () => {
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const spans = await traced({ traceparent: `00-${traceId}-b7ad6b7169203331-01` }, ['/predict?key=hunter2']);
  assert.is(received[0].path, '/v1/traces');
  assert.match(JSON.stringify(received[0].body.resourceSpans[0].resource), 'yolox-node');
  const [request] = spans.filter(({ parentSpanId }) => parentSpanId === 'b7ad6b7169203331');
  assert.is(request.name, 'POST /predict');
  assert.match(JSON.stringify(request.attributes), '"key":"http.response.status_code","value":{"intValue":200}');
  const stages = spans.filter(({ parentSpanId }) => parentSpanId === request.spanId);
  assert.equal(
    stages.map(({ name }) => name),
    ['decode', 'queue', 'inference'],
  );
  assert.ok(spans.every((span) => span.traceId === traceId));
  const ms = stages.map((span) => Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)) / 1e6);
  [4, 1, 20].forEach((expected, i) => {
    assert.ok(Math.abs(ms[i] - expected) < 0.01, `${ms[i]} ms`);
  });
  assert.not.match(JSON.stringify(received), 'hunter2');
});

test('without a caller’s trace each request has its own; a malformed one is no caller; faults are marked', async () => {
  const spans = await traced({ traceparent: '00-zz-1-01' }, ['/broken', '/predict']);
  const requests = spans.filter(({ name }) => name.startsWith('POST'));
  assert.equal(
    requests.map(({ name, status }) => [name, status.code]),
    [
      ['POST /broken', 2],
      ['POST /predict', 0],
    ],
  );
  assert.is(new Set(requests.map((span) => span.traceId)).size, 2);
});

test('a caller that does not record its trace is heeded', async () => {
  assert.equal(
    await traced({ traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00' }, ['/predict']),
    [],
  );
});

test('without a collector there are no traces, and a collector that is away stops nobody', async () => {
  assert.is(await openTraces(null, log), undefined);
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = url;
  const fromEnvironment = await openTraces(null, log);
  delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
  assert.ok(fromEnvironment);
  await fromEnvironment?.close();
  collector.close();
  collector.closeAllConnections();
  assert.equal(await traced({}, ['/predict']), []);
  assert.match(logged, 'traces cannot be sent');
});

test.run();
