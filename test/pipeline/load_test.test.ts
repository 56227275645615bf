import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadTest, percentile } from '../../src/pipeline/load_test.js';

const test = suite('load_test');
const options = { body: Buffer.from('picture'), seconds: 0.3, warmupSeconds: 0, connections: 2 };

test('a percentile is a value that at least this share does not exceed, and fewer would not do', () => {
  const values = fc.array(fc.nat(1000), { minLength: 1, maxLength: 50 });
  fc.assert(
    fc.property(values, fc.double({ min: 0.01, max: 1, noNaN: true }), (list, p) => {
      const value = percentile(Float64Array.from(list).sort(), p);
      const share = (count: number) => count / list.length;
      assert.ok(list.includes(value));
      assert.ok(share(list.filter((one) => one <= value).length) >= p - 1e-12);
      assert.ok(share(list.filter((one) => one < value).length) < p);
    }),
  );
  assert.is(percentile(new Float64Array(), 0.5), 0);
});

test('counts answers, refusals and the requests that got none', async () => {
  const bodies = new Set<string>();
  let count = 0;
  const server = createServer(async (request, response) => {
    bodies.add(`${request.method} ${await buffer(request)}`);
    response.writeHead(++count % 2 === 0 ? 503 : 200).end();
  }).listen(0);
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/predict`;

  const result = await loadTest({ ...options, url });
  assert.equal([...bodies], ['POST picture']);
  assert.ok(result.requests > 0 && result.requests <= count);
  assert.ok(Math.abs(result.non2xx - result.requests / 2) <= options.connections);
  assert.is(result.errors, 0);
  assert.ok(result.seconds >= options.seconds);
  assert.ok(Math.abs(result.throughput - result.requests / result.seconds) < 1e-9);
  assert.ok(
    0 < result.p50_ms &&
      result.p50_ms <= result.p90_ms &&
      result.p90_ms <= result.p99_ms &&
      result.p99_ms <= result.max_ms,
  );

  server.close();
  server.closeAllConnections();
  const dead = await loadTest({ ...options, url });
  assert.is(dead.requests, 0);
  assert.ok(dead.errors > 0);
});

test.run();
