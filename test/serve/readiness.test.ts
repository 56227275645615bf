import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { VersionInfo } from '../../src/serve/versions/versions.js';
import { startWire, until, type Wire } from './wire.js';

const test = suite('readiness');
const adminToken = 'a-token-for-operators';
let wire: Wire;

test.before(async () => {
  wire = await startWire({ adminToken });
});
test.after(() => wire.close());

const ready = async () => {
  const response = await fetch(`${wire.url}/readyz`);
  const { error } = (await response.json()) as { error?: { code: string; message: string } };
  return { status: response.status, ...error };
};
const live = async (): Promise<VersionInfo> => {
  const response = await fetch(`${wire.url}/admin/versions`, { headers: { authorization: `Bearer ${adminToken}` } });
  return ((await response.json()) as { versions: VersionInfo[] }).versions[0];
};
const signal = async (name: NodeJS.Signals) => process.kill((await live()).pid as number, name);
const predict = () =>
  fetch(`${wire.url}/predict`, { method: 'POST', body: wire.image, headers: { 'content-type': 'image/jpeg' } });

test('a service whose model stands still is alive and not ready, until the model answers again', async () => {
  assert.is((await ready()).status, 200);
  await signal('SIGSTOP');
  await until(async () => (await ready()).status === 503);
  assert.equal(await ready(), { status: 503, code: 'not_ready', message: 'The model does not answer.', hint: HINT });
  assert.is((await fetch(`${wire.url}/livez`)).status, 200);
  await signal('SIGCONT');
  await until(async () => (await ready()).status === 200);
  assert.is((await predict()).status, 200);
});

test('a service whose files changed serves nothing of them, and says so to operators alone', async () => {
  const path = join(wire.dir, 'model.onnx');
  const packed = await readFile(path);
  const flipped = Buffer.from(packed);
  for (const at of [packed.length >> 1, packed.length - 5000]) flipped[at] ^= 1;
  await writeFile(path, flipped);
  await signal('SIGKILL');
  await until(async () => !(await live()).healthy);
  const { status, message } = await ready();
  assert.equal([status, message], [503, 'The model does not start; the log says why.']);
  const refused = await predict();
  assert.equal([refused.status, refused.headers.get('retry-after') !== null], [503, true]);
  const { problem } = await live();
  assert.match(problem ?? '', /^yolox-bundle-\w+\/model\.onnx: expected SHA-256/);
  const troubles = wire.lines().filter(({ level, msg }) => level === 'error' && msg === 'model in trouble');
  assert.match(String(troubles.at(-1)?.reason), 'model.onnx: expected SHA-256');
  await writeFile(path, packed);
  await until(async () => (await ready()).status === 200);
  assert.is((await predict()).status, 200);
  assert.is((await live()).problem, undefined);
});

test('test image and answer are given as packed, or not at all', async () => {
  const path = join(wire.dir, 'test_image.jpg');
  assert.is((await fetch(`${wire.url}/test_data`)).status, 200);
  await writeFile(path, 'another');
  const { status } = await fetch(`${wire.url}/test_data`);
  assert.is(status, 500);
  await writeFile(path, wire.image);
  assert.is((await fetch(`${wire.url}/test_data`)).status, 200);
});

const HINT = 'Ask again in a second.';

test.run();
