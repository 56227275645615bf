import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const root = resolve(import.meta.dirname, '../..');
const runner = join(root, 'scripts/test/runner.mjs');

const { needsBuild } = await import(join(root, 'scripts/test/collect.mjs'));

const test = suite('test runner');

const passing = "import { test } from 'uvu';\ntest('one', () => {});\ntest.run();\n";

/** Runs the runner over a project made of `files`; returns its exit code, output and last line. */
function runOn(files: Record<string, string>, filters: string[] = [], options = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'yolox-runner-'));
  try {
    symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'));
    for (const [name, source] of Object.entries(files)) {
      mkdirSync(dirname(join(dir, 'test', name)), { recursive: true });
      writeFileSync(join(dir, 'test', name), source);
    }
    const call = [dir, filters, options].map((value) => JSON.stringify(value)).join(', ');
    const script = `import { runTests } from '${runner}'; process.exitCode = (await runTests(${call})) ? 0 : 1;`;
    const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    return { status, stdout, last: stdout.trimEnd().split('\n').at(-1) };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test('sums what passed, failed and was skipped, and shows the reasons', () => {
  const { status, stdout, last } = runOn({
    'a/good.test.ts': passing,
    'a/bad.test.ts':
      "import { test } from 'uvu';\ntest('good', () => {});\ntest('bad', () => { throw new Error('broken wing'); });\ntest.run();\n",
    'b/skipping.test.ts':
      "import { suite } from 'uvu';\nconst s = suite('x');\nconsole.log('skipped: x needs a photo');\ns.skip('one', () => {});\ns.run();\n",
    'b/no_files.test.ts':
      "import { suite } from 'uvu';\nconst s = suite('y');\nconsole.log('skipped: y needs golden files');\ns.run();\n",
  });
  assert.is(last, '2 passed, 1 failed, 2 skipped');
  assert.is(status, 1);
  assert.match(stdout, 'broken wing');
  assert.match(stdout, 'skipped: x needs a photo');
  assert.match(stdout, 'skipped: y needs golden files');
});

test('a filter chooses files by their path', () => {
  const files = { 'a/one.test.ts': passing, 'golden/two.test.ts': passing };
  const chosen = runOn(files, ['golden']);
  assert.is(chosen.last, '1 passed, 0 failed, 0 skipped');
  assert.is(chosen.status, 0);
  assert.is(runOn(files, ['nothing']).status, 1);
});

test('tests that would never run are failures', () => {
  const cases: Record<string, [source: string, expected: string]> = {
    'test/idle.test.ts': [
      "import { suite } from 'uvu';\nconst idle = suite('x');\nidle('one', () => {});\n",
      'lacks idle.run()',
    ],
    'test/empty.test.ts': ["import { test } from 'uvu';\ntest.run();\n", 'ran no tests'],
    'test/foreign.test.ts': ['console.log(1);\n', 'ended with exit code 0 before its summary'],
    'test/misnamed.ts': [passing, 'has tests, but its name does not end in .test.ts'],
    'test/chosen.test.ts': [
      "import { test } from 'uvu';\ntest.only('one', () => {});\ntest.run();\n",
      'has a test marked "only", which hides the others',
    ],
  };
  const sources = Object.entries(cases).map(([file, [source]]) => [file.slice('test/'.length), source]);
  const { status, stdout } = runOn({ 'good.test.ts': passing, ...Object.fromEntries(sources) });
  assert.is(status, 1);
  assert.match(stdout, '✔ test/good.test.ts  1 passed');
  for (const [file, [, reason]] of Object.entries(cases)) assertReason(stdout, file, reason);
});

const failingWith = (statement: string) =>
  `import { test } from 'uvu';\ntest('one', async () => { ${statement} });\ntest.run();\n`;

test('a test process that crashes or leaves early is a failure', () => {
  const { status, stdout } = runOn({
    'abort.test.ts': failingWith('process.abort();'),
    'early.test.ts': failingWith('process.exit(0);'),
    'late.test.ts': failingWith('process.on("exit", () => { process.exitCode = 3; });'),
  });
  assert.is(status, 1);
  assertReason(stdout, 'test/abort.test.ts', 'was ended by SIGABRT');
  assertReason(stdout, 'test/early.test.ts', 'ended with exit code 1 before its summary');
  assertReason(stdout, 'test/late.test.ts', 'ended with exit code 3');
});

test('a test process that hangs is a failure', () => {
  // A process that has not even started when the limit ends is reported alike, so load does not matter here.
  const hanging = failingWith('await new Promise((resolve) => setTimeout(resolve, 2 ** 31 - 1));');
  const { status, stdout } = runOn({ 'x.test.ts': hanging }, [], { timeoutMs: 1500 });
  assert.is(status, 1);
  assertReason(stdout, 'test/x.test.ts', 'did not end within 1.5 s');
});

test('tests that name the compiled program, or import a helper that does, need it built', () => {
  for (const file of ['cli/cli.test.ts', 'cli/failure.test.ts', 'cases/13-bmp.test.ts', 'serve/http/page.test.ts'])
    assert.ok(needsBuild(root, `test/${file}`), file);
  for (const file of ['config/load.test.ts', 'base/lock.test.ts', 'kernels/conv2d.test.ts'])
    assert.not(needsBuild(root, `test/${file}`), file);
});

/** Expects the runner's line with the reason why a file failed as a whole. */
function assertReason(stdout: string, file: string, reason: string): void {
  const lines = stdout.split('\n');
  assert.ok(
    lines.includes(`${file} ${reason}`) || lines.includes(`✘ ${file}: ${reason}`),
    `${file} ${reason}\n${stdout}`,
  );
}

test.run();
