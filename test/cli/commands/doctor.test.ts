import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const root = resolve(import.meta.dirname, '../../..');

const test = suite('yolox-node doctor');

/** Runs the doctor of the project in `dir`; returns its exit code, its JSON answer and what it said on stderr. */
function doctorOf(dir: string) {
  const module = pathToFileURL(join(dir, 'src/cli/commands/doctor.ts')).href;
  const script = `const { doctorCommand } = await import('${module}'); await doctorCommand.handler({ json: true, _: [], $0: '' });`;
  const args = ['--import', 'tsx', '--input-type=module', '-e', script];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  return { status, answer: JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? ''), stderr };
}

test('names the TensorFlow that computes, the ops and what CUDA lacks', () => {
  const { status, answer } = doctorOf(root);
  assert.is(status, 0);
  assert.ok(answer.ok);
  assert.is(answer.node, process.versions.node);
  assert.ok(answer.tensorflow.works);
  assert.match(answer.tensorflow.version, /^2\.\d+\.\d+$/);
  assert.is(answer.gpu.missing.length === 0, answer.tensorflow.device === 'GPU');
  assert.match(answer.ops.level, /^avx/);
  assert.ok(answer.ops.names.includes('YoloxSimOtaAssign'));
  assert.ok(answer.onnxruntime.providers.includes('cpu'));
});

test('without TensorFlow says so with the remedy, exit code 1 and no stack trace', () => {
  const dir = mkdtempSync(join(tmpdir(), 'yolox-doctor-'));
  try {
    for (const name of ['base', 'cli', 'config', 'kernels/addon.ts']) {
      cpSync(join(root, 'src', name), join(dir, 'src', name), { recursive: true });
    }
    // What the command line itself needs; TensorFlow and onnxruntime are missing.
    mkdirSync(join(dir, 'node_modules'));
    for (const name of ['cli-progress', 'fastest-levenshtein', 'yaml', 'zod']) {
      symlinkSync(join(root, 'node_modules', name), join(dir, 'node_modules', name));
    }
    writeFileSync(join(dir, 'package.json'), '{"type": "module", "version": "1.2.3"}');
    const { status, answer, stderr } = doctorOf(dir);
    assert.is(status, 1);
    assert.not(answer.ok);
    assert.not(answer.tensorflow.works);
    assert.match(answer.tensorflow.error, 'run "npx yolox-node setup"');
    assert.not.match(stderr, /^\s+at /m);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test.run();
