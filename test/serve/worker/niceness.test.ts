import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { getPriority } from 'node:os';
import { resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { familyOf } from '../fuzz/processes.js';
import { makeBundle } from '../make_bundle.js';

const test = suite('niceness');
const CLI = resolve(import.meta.dirname, '../../../bin/yolox.mjs');

test('under `nice` the service starts, and its model gives way to it by one step', async () => {
  const dir = await makeBundle();
  // Only root may go back to a lower niceness: there this ends a process that tries.
  const command = [process.execPath, CLI, 'serve', dir, '--port', '0', '--json'];
  const service = spawn('nice', ['-n', '5', ...command], { stdio: ['ignore', 'pipe', 'ignore'] });
  const pid = service.pid as number;
  try {
    const [line] = await Promise.race([once(service.stdout, 'data'), once(service, 'exit')]);
    assert.match(String(line), 'http://');
    const [model] = familyOf(pid).filter((one) => readFileSync(`/proc/${one}/cmdline`, 'utf8').includes('worker/main'));
    assert.is(getPriority(model) - getPriority(pid), 1);
    assert.is(getPriority(pid), Math.min(19, getPriority() + 5));
  } finally {
    service.kill('SIGKILL');
    await rm(dir, { recursive: true });
  }
});

test.run();
