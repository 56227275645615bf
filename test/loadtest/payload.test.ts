import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { payloadOf } from '../../src/loadtest/payload.js';

const test = suite('bodies of requests');
const root = mkdtempSync(join(tmpdir(), 'load-payload-'));
process.on('exit', () => rmSync(root, { recursive: true, force: true }));
const file = join(root, 'image.jpg');
const bytes = Buffer.from([0xff, 0xd8, 0, 10, 13, 200]);
writeFileSync(file, bytes);

test('raw: the bytes of the file', async () => {
  const { data, type } = await payloadOf(file, { body: 'raw', field: 'image' });
  assert.equal([Buffer.from(data), type], [bytes, 'application/octet-stream']);
});

test('JSON: base64 in the field', async () => {
  const { data, type } = await payloadOf(file, { body: 'json', field: 'inputs' });
  assert.is(type, 'application/json');
  assert.equal(JSON.parse(Buffer.from(data).toString()), { inputs: bytes.toString('base64') });
});

test('a form: the file in the field, with its name', async () => {
  const { data, type } = await payloadOf(file, { body: 'form', field: 'file' });
  const form = await new Response(new Uint8Array(data), { headers: { 'content-type': type } }).formData();
  const sent = form.get('file') as File;
  assert.equal([sent.name, Buffer.from(await sent.arrayBuffer())], ['image.jpg', bytes]);
});

test.run();
