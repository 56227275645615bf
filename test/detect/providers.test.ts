import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../src/base/errors.js';
import { openSession } from '../../src/detect/providers.js';
import { makeBundle } from '../serve/make_bundle.js';

const test = suite('providers');
let dir: string;
let path: string;

test.before(async () => {
  dir = await makeBundle();
  path = join(dir, 'model.onnx');
});
test.after(() => rm(dir, { recursive: true }));

test('auto opens on whatever there is', async () => {
  const { session, provider } = await openSession({ path }, 'auto', {});
  assert.ok(['cuda', 'cpu'].includes(provider));
  assert.equal(session.inputNames, ['images']);
  await session.release();
});

test('the CPU is there when asked for', async () => {
  const { session, provider } = await openSession({ path }, 'cpu', {});
  assert.is(provider, 'cpu');
  await session.release();
});

test('a provider asked for by name is taken, or refused in words: never another in its place', async () => {
  for (const choice of ['cuda', 'tensorrt'] as const) {
    try {
      const { session, provider } = await openSession({ path }, choice, {});
      assert.is(provider, choice);
      await session.release();
    } catch (error) {
      assert.instance(error, UserError);
      assert.match((error as UserError).message, `expected a machine that runs ${choice}`);
    }
  }
});

test('a file that is no model is refused as such whatever it was to run on', async () => {
  for (const choice of ['auto', 'cpu'] as const) {
    try {
      await openSession({ path: join(dir, 'bundle.json') }, choice, {});
      assert.unreachable();
    } catch (error) {
      assert.match((error as UserError).message, 'expected an ONNX model');
    }
  }
});

test.run();
