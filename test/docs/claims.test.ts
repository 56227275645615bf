import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readPages, root } from './read.js';

const test = suite('claims of README and docs');

test('every op of ours has a CPU kernel, and a CUDA kernel unless it is the convolution', () => {
  const kernels = join(root, 'src/kernels');
  const ops = readdirSync(kernels).filter((name) => existsSync(join(kernels, name, `${name}_op.cc`)));
  const lacking = (suffix: string) => ops.filter((name) => !existsSync(join(kernels, name, `${name}${suffix}`)));
  assert.ok(ops.length > 8);
  assert.equal(lacking('_cpu.cc'), []);
  assert.equal(lacking('.cu'), ['conv2d']);
});

/** Sources that are loaded with one, now or later in its work. */
function loadedWith(file: string, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  const code = readFileSync(file, 'utf8');
  const imports = /(?:^(?:import|export) (?!type)[^;]*?from |import\()'(\.[^']+)'/gm;
  for (const [, path] of code.matchAll(imports)) loadedWith(join(dirname(file), path.replace(/\.js$/, '.ts')), found);
  return found;
}

test('serve, tune, load-test, coco-eval and doctor load no TensorFlow', () => {
  const tensorflow = join(root, 'src/kernels/tf.ts');
  for (const command of ['serve', 'tune', 'load_test', 'coco_eval', 'doctor']) {
    assert.not(loadedWith(join(root, `src/cli/commands/${command}.ts`)).has(tensorflow), command);
  }
  // The walk finds it where it is.
  assert.ok(loadedWith(join(root, 'src/cli/commands/run.ts')).has(tensorflow));
});

test('every test that the docs name as holding a claim is there', () => {
  const { text } = readPages().find(({ file }) => file === 'docs/ARCHITECTURE.md') as { text: string };
  const [, table = ''] = /^## What holds the README's claims\n([\s\S]*)/m.exec(text) ?? [];
  const rows = table.split('\n').filter((line) => /^\| (?!claim|---)/.test(line));
  assert.ok(rows.length > 15);
  for (const row of rows) {
    const named = [...(row.split(' | ').at(-1) as string).matchAll(/`([^`]+)`/g)].map(([, name]) => name);
    assert.ok(named.length > 0, row);
    for (const name of named.filter((one) => one.startsWith('test/'))) assert.ok(existsSync(join(root, name)), name);
  }
});

test.run();
