import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { golden, suiteNeeding } from '../support/shared.js';

const root = resolve(import.meta.dirname, '../..');

/** Golden tests whose outcome depends on which ops compute. */
const FILES = ['forward', 'assign_loss', 'postprocess', 'train'];

const test = suiteNeeding('golden data without our own ops (YOLOX_OPS=reference)', golden(/\.safetensors$/));

for (const name of FILES) {
  test(name, () => {
    const file = join(import.meta.dirname, `${name}.test.ts`);
    const env = { ...process.env, YOLOX_OPS: 'reference' };
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', file], {
      cwd: root,
      env,
      encoding: 'utf8',
    });
    assert.is(status, 0, stdout + stderr);
    assert.match(stdout, /Passed: +[1-9]/);
    assert.match(stdout, /Skipped: +0/);
  });
}

test.run();
