import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../../src/base/errors.js';
import { withServer } from '../../../src/pipeline/service_test/child.js';
import { makeBundle } from '../../serve/make_bundle.js';

const test = suite<{ bundle: string }>('server in a process of its own');

test.before(async (context) => {
  context.bundle = await makeBundle();
});
test.after(({ bundle }) => rm(bundle, { recursive: true }));

const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => assert.unreachable('no error came'),
    (error: Error) => error,
  ) as Promise<Error>;

async function gone(pid: number): Promise<void> {
  while (existsSync(`/proc/${pid}`)) await new Promise((resolve) => setTimeout(resolve, 20));
}

test('one that does not start is an error with its exit code and the end of its log', async () => {
  const error = await failureOf(withServer(['/no/such/bundle'], async () => {}));
  assert.instance(error, UserError);
  assert.match(error.message, 'yolox-node serve: expected a server that becomes ready, received "exit code 2"');
  assert.match(error.message, '/no/such/bundle');
});

test('one that is killed under way is named in place of the requests that fail of it', async ({ bundle }) => {
  const error = await failureOf(
    withServer([bundle, '--port', '0'], async ({ url, pid }) => {
      process.kill(pid, 'SIGKILL');
      await gone(pid);
      await fetch(url);
    }),
  );
  assert.instance(error, UserError);
  assert.match(error.message, 'killed by SIGKILL');
  assert.match((error.cause as Error).message, 'fetch failed');
});

test('an error of its own passes, and the server is ended', async ({ bundle }) => {
  const planted = new Error('planted');
  let server = 0;
  const error = await failureOf(
    withServer([bundle, '--port', '0'], async ({ pid }) => {
      server = pid;
      throw planted;
    }),
  );
  assert.is(error, planted);
  assert.not(existsSync(`/proc/${server}`));
});

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGKILL', null],
] as const) {
  test(`it ends with a parent that gets ${signal}`, async ({ bundle }) => {
    const program = join(import.meta.dirname, 'child_program.ts');
    const parent = spawn(process.execPath, ['--import', 'tsx', program, bundle], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(createInterface({ input: parent.stdout }), 'line');
    assert.ok(existsSync(`/proc/${line}`));
    const exited = once(parent, 'exit');
    parent.kill(signal);
    assert.equal((await exited)[0], code);
    await gone(Number(line));
  });
}

test.run();
